/*
 * Tables of which not everything comes back (no replica identity, unlogged), and the proof that nothing was written to one since
 * the switch: then nothing of it can be lost.
 *
 * They are found beforehand. While clients are held, each is noted with its file and the number of its rows, and the
 * transaction of that moment. Later it is unwritten when it has the same file (no TRUNCATE, no rewrite), as many rows from
 * before that transaction (no DELETE, no UPDATE: both end a row that was there) and none since (no INSERT). Counters of the
 * statistics would not do: up to 14 their messages may be lost, and a crash sets them to nothing.
 *
 * Only small tables are noted, since it reads them while clients wait.
 */
#pragma once

#include <jansson.h>

#include "reverse.h"

#define UNWRITTEN_MOST_BYTES (32LL * 1024 * 1024) /* of all of them together */
#define UNWRITTEN_MOST_TABLES 100

/*
 * Puts into detail which tables these are, as "limited": all tables are looked through for that, so it is done while nobody
 * waits. An empty list where there are more than can be noted.
 */
int unwritten_find(Database *target, const Migration *migration, json_t *detail, Error *error) MUST_CHECK;

/* Puts into detail what unwritten_limits needs of those in "limited" of found. Nobody may be writing. */
int unwritten_note(Database *target, const json_t *found, json_t *detail, Error *error) MUST_CHECK;

/* As reverse_limits, without the tables that were noted in detail and are unwritten since. detail may be NULL. */
int unwritten_limits(Database *target, const Migration *migration, const json_t *detail, char *inserts,
                     char *nothing, size_t size, Error *error) MUST_CHECK;
