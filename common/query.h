/*
 * The one call to a server: SQL and its parameters in, rows or an error out, and never longer than the caller allows.
 *
 *     Query query = {.sql = "SELECT …", .what = "reading the sequences", .limits = query_within(5000)};
 *     query_run(database, &query, &result, error)          the caller frees result with PQclear
 *
 * A call ends at its deadline, or soon after stop says so, whatever the server does: a statement that runs too long is
 * cancelled, and a server that does not even answer to that is given up together with the connection, which is lost from
 * then on (PQstatus is CONNECTION_BAD). A statement that was done all the same, before the cancellation came, is a success.
 *
 * A Database has limits of its own, for every call that names none: database_limit sets them, and database_query and its
 * sisters are this call with those alone. A Query's limits come on top: what ends first, ends it.
 *
 * Errors: ERROR_LIMIT past the deadline and ERROR_INTERRUPTED by stop, both saying what was waited for and for how long;
 * else as database_error fills them. Only the first words of the SQL are ever shown, and nothing from its first quote on: what
 * is secret in a statement is in a literal.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"

typedef struct Query {
    const char *sql;
    const char *const *values; /* of $1 …; a NULL is SQL NULL. Not for DATABASE_PROXY */
    int count; /* of values. With 0, sql may hold several statements: the last one's rows come out */
    bool
        often; /* one statement, asked again and again: sql must outlive the Database, which prepares it once */
    const char *what; /* for errors: "setting the sequences". NULL: the first words of sql */
    int64_t began;    /* for errors of query_finish: when it was sent, on clock_ms; 0: now */
    QueryLimits limits;
} Query;

/* A deadline that many milliseconds from now; 0 and less: one that has passed. */
QueryLimits query_within(int ms);

/* What ends first of both. */
QueryLimits query_sooner(QueryLimits one, QueryLimits other);

/* out may be NULL: the rows are thrown away. */
int query_run(Database *database, const Query *query, PGresult **out, Error *error) MUST_CHECK;

/*
 * The first half of query_run, for who has several sessions at work at a time: sends the statement without waiting, and leaves the
 * connection nonblocking. query_finish has to follow.
 */
int query_send(Database *database, const Query *query, Error *error) MUST_CHECK;

/*
 * The second half of query_run, for a statement that the caller has sent, or whose COPY data has ended: waits for its last
 * result. Where a COPY begins, its result comes out at once.
 */
int query_finish(Database *database, const Query *query, PGresult **out, Error *error) MUST_CHECK;

/*
 * Waits until PQgetResult would not block, and sends meanwhile what is still to be sent; for a PGconn that is nobody's
 * Database. ERROR_LIMIT, ERROR_INTERRUPTED, or ERROR_CONNECTION in libpq's words; nothing is cancelled.
 */
int query_await(PGconn *connection, QueryLimits limits, Error *error) MUST_CHECK;

/* Goes on with a connection that PQconnectStart began until it stands; the same errors. */
int query_await_connection(PGconn *connection, QueryLimits limits, Error *error) MUST_CHECK;

#define QUERY_CANCEL_MS 2000

/*
 * Cancels what the connection runs, within so many milliseconds (QUERY_CANCEL_MS). Afterwards the server has the request behind
 * it, and the statement that comes next is not hit by it; or, where the server does not answer, the connection is lost. Reads
 * nothing: what the statement ended with is still to be read.
 */
void query_cancel(PGconn *connection, int ms);
