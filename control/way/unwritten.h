/*
 * Tables of which not everything comes back (no replica identity, unlogged), and the proof that nothing was written to one since
 * the switch: then nothing of it can be lost.
 *
 * They are found beforehand. While clients are held, each is noted with its file and the number of its rows, and the
 * transaction of that moment. Later it is unwritten when it has the same file (no TRUNCATE, no rewrite), as many rows from
 * before that transaction (no DELETE, no UPDATE: both end a row that was there) and none since (no INSERT). Counters of the
 * statistics would not do: up to 14 their messages may be lost, and a crash sets them to nothing.
 *
 *     unwritten_find   before the hold: which tables these are
 *     unwritten_note   in the hold: their files, and the rows of small ones; of large ones a snapshot is kept
 *     unwritten_count  once clients have gone on: the rows of the large ones, as that snapshot sees them
 *     unwritten_limits before a rollback, and once more in its hold: which have been written to, or cannot be shown not to have been
 *
 * Belongs to one thread.
 */
#pragma once

#include <jansson.h>

#include "reverse.h"

#define UNWRITTEN_MOST_BYTES (32LL * 1024 * 1024) /* of those whose rows are counted in the hold, together */
#define UNWRITTEN_MOST_TABLES 100

/*
 * Puts into detail which tables these are, as "limited": all tables are looked through for that, so it is done while nobody
 * waits. An empty list where there are more than can be noted.
 */
int unwritten_find(Database *target, const Migration *migration, json_t *detail, Error *error) MUST_CHECK;

/*
 * Puts into detail what unwritten_limits needs of those in "limited" of found, smallest first. Nobody may be writing. Where
 * some are too large to be counted now, *late says so: a snapshot has to be taken now in another session, for unwritten_count.
 */
int unwritten_note(Database *target, const json_t *found, json_t *detail, bool *late,
                   Error *error) MUST_CHECK;

/* In a new session of the target: takes the snapshot of now, and keeps it. */
int unwritten_keep(Database *session, Error *error) MUST_CHECK;

/*
 * Puts into detail, as "counted", the rows of the tables of noted that were not counted in the hold, as the snapshot of session
 * sees them; within limit_ms. *left is how many it did not come to: of these nothing will be shown.
 */
int unwritten_count(Database *session, const json_t *noted, int limit_ms, json_t *detail, size_t *left,
                    Error *error) MUST_CHECK;

/* What was kept of a switch; each may be NULL. */
typedef struct Unwritten {
    const json_t *noted;   /* the detail of unwritten_note */
    const json_t *counted; /* that of unwritten_count */
} Unwritten;

/* Tables by name, with commas between them; "" for none. */
typedef struct Limits {
    char inserts[512]; /* only INSERT and TRUNCATE come back */
    char nothing[512]; /* nothing does */
    char late[256];    /* of both, those of which it was not found out in time whether they were written to */
} Limits;

/*
 * As reverse_limits, without the tables that are unwritten since. Reads rows for limit_ms at most. What was kept has to outlive the
 * call alone.
 */
int unwritten_limits(Database *target, const Migration *migration, const Unwritten *kept, int limit_ms,
                     Limits *out, Error *error) MUST_CHECK;
