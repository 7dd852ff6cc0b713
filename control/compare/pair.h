/*
 * A pair of sessions, one on each side, that run the same query at the same time under their snapshots.
 * Private to those who compare; a pair belongs to one thread.
 */
#pragma once

#include "compare.h"

typedef struct ComparePair {
    Database *source;
    Database *target;
    const char *source_snapshot;
    const char *target_snapshot;
    bool guarded;    /* target is a guard: its transaction is open already, and stays so */
    bool careful;    /* the table at hand is read a second time: see chunk.h */
    size_t known;    /* what its servers keep of the tables that it has read: see pair_is_full */
    double deadline; /* as in CompareOptions */
    bool (*stop)(void);
    /* Says, for people, who keeps the comparison waiting for very long; NULL: nobody wants to know. */
    void (*say)(void *context, const char *line);
    void *context;
} ComparePair;

/* Opens one session of a pair within limits, which it keeps, with what every session that compares sets. The caller closes *out. */
int pair_connect(const char *uri, DatabaseEnd end, const char *purpose, QueryLimits limits, Database **out,
                 Error *error) MUST_CHECK;

/*
 * Opens both sessions for the snapshots that options name. With a guard (not NULL) that is the target's session, and
 * belongs to the pair from then on, also after an error. The caller closes *out with pair_close.
 */
int pair_open(const CompareOptions *options, Database *guard, ComparePair *out, Error *error) MUST_CHECK;
void pair_close(ComparePair *pair);

/*
 * A server's process keeps what it has looked up of each table until its session ends: its relation, those of its indexes, and
 * rows of catalogs for its columns (relcache, catcache; all majors). So a session is for so many tables; then, between
 * transactions, others take over, under the same snapshots if these are still exported.
 */
void pair_add_table(ComparePair *pair, bool with_those_below, size_t columns);
bool pair_is_full(const ComparePair *pair);

/*
 * Replaces the sessions of a pair that is full by those that open makes in *fresh, which is all zero. Where none are to be had, the
 * full ones serve on. A guard reads few tables, and no other session could: that pair stays.
 */
typedef int (*PairOpen)(void *context, ComparePair *fresh, Error *error);
void pair_renew(ComparePair *pair, PairOpen open, void *context);

/*
 * Begins and ends the transactions, read-only under the snapshots, that all queries run in. One per table, so that no
 * lock on a table is kept for longer than it is read.
 */
int pair_begin(ComparePair *pair, Error *error) MUST_CHECK;
int pair_end(ComparePair *pair, Error *error) MUST_CHECK;

/*
 * After a failure between the two: ends what is open, so that the next table can begin. Sessions that cannot are opened
 * anew, without the guard if there was one. Fails when they cannot be.
 */
int pair_recover(const CompareOptions *options, ComparePair *pair, Error *error) MUST_CHECK;

/* A session on the target in an open transaction under its snapshot. The caller closes *out. */
int session_open_guard(const CompareOptions *options, Database **out, Error *error) MUST_CHECK;

/* Runs sql, without parameters, on one side after the other. */
int pair_execute(ComparePair *pair, const char *sql, Error *error) MUST_CHECK;

/*
 * Runs sql, with count text parameters, on both sides; the caller clears both results.
 * ERROR_INTERRUPTED when the stop of the options says so, ERROR_LIMIT at the deadline: the queries are cancelled then.
 */
int pair_query(ComparePair *pair, const char *sql, int count, const char *const *values, PGresult **source,
               PGresult **target, Error *error) MUST_CHECK;

/*
 * The same for a query over the rows of tables. When the pair is careful, the search_path is the database's own meanwhile: the
 * planner looks into what the user's indexes call.
 */
int pair_query_rows(ComparePair *pair, const char *sql, int count, const char *const *values,
                    PGresult **source, PGresult **target, Error *error) MUST_CHECK;
