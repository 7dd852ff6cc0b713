/*
 * Large objects, which no stream carries: brought from one side to the other as a whole, and then what has changed since.
 *
 *     copy:      large_bring, everything, several at a time            ──► from here on the source's changes are known by `since`
 *     cutover:   large_bring ahead, while clients write; once more behind the fence, when little is left to be brought
 *     rollback:  the same the other way
 *
 * **What has changed** is found by the rows of pg_largeobject and pg_largeobject_metadata whose xmin is no older than the oldest
 * transaction that ran when it was looked last: a change always writes a row anew, also a truncation (inv_truncate writes the page
 * at the new end). It is a little more than what changed, never less. Freezing keeps xmin (since 9.4). What was removed is found
 * by counting. So a look reads pg_largeobject once, from end to end: dry runs measure that, and the limit of the hold ends it.
 *
 * Data goes by COPY of pg_largeobject, which takes a superuser where it is written, and the right to read that table where it is
 * read (check names it). Each batch of objects is one transaction: killed at any moment, the next call brings the rest.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"

typedef struct LargeRequest {
    const char *from_uri;
    const char *to_uri;
    DatabaseEnd from, to;
    int jobs;            /* sessions that bring at a time */
    bool owners, grants; /* are brought, too */
    QueryLimits limits;
    void (*idle)(void *context); /* a few times a second, on the calling thread; or NULL */
    void *context;
} LargeRequest;

typedef struct LargeResult {
    int64_t objects; /* that were made, or whose contents or rights were brought */
    int64_t removed;
    int64_t bytes;
    char since[24]; /* a change that this call has not brought is of a transaction from here on */
} LargeResult;

/*
 * Brings what is on one side and not on the other, and, with since not NULL, what has changed there since; removes what is on
 * the other side alone.
 */
int large_bring(const LargeRequest *request, const char *since, LargeResult *out, Error *error) MUST_CHECK;

/* Whether a database has any. Anybody may ask. */
int large_any(Database *database, bool *any, Error *error) MUST_CHECK;

/* Whether neither side has any, over sessions that are open. */
int large_none(Database *from, Database *to, bool *none, Error *error) MUST_CHECK;

typedef struct LargeLook {
    int64_t objects; /* on that side */
    int64_t changed; /* since */
    int64_t bytes;   /* of these */
    double seconds;  /* that the look took */
} LargeLook;

/* What large_bring would bring; changes nothing. */
int large_look(Database *from, const char *since, LargeLook *out, Error *error) MUST_CHECK;

/*
 * Of the objects in the array literal oids, those that large_bring would bring again; and those whose comments are others since. A row
 * each, by OID. The caller frees *out.
 */
int large_changed(Database *from, const char *since, const char *oids, PGresult **out,
                  Error *error) MUST_CHECK;
int large_comments_changed(Database *from, const char *since, const char *oids, PGresult **out,
                           Error *error) MUST_CHECK;

/* The since of this moment. */
int large_now(Database *database, char out[24], Error *error) MUST_CHECK;

/*
 * What the state has of it: since when the changes of a side are not on the other. known is false for a migration that leaves
 * large objects behind.
 */
typedef struct LargeKnown {
    bool known;
    bool owners, grants;
    char source[24], target[24]; /* "": not known for that side */
} LargeKnown;

int large_load(Database *target, const char *migration, LargeKnown *out, Error *error) MUST_CHECK;

/* NULL leaves a side as it was. */
int large_save(Database *target, const char *migration, const char *source, const char *target_since,
               Error *error) MUST_CHECK;
