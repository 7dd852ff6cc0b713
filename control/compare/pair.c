/*
 * Both queries are sent before either answer is read, so that the servers compute side by side. While they
 * do, we wait on the sockets and look at the stop flag.
 */
#include "pair.h"

#include <poll.h>
#include <stdio.h>

#include "clock.h"
#include "exported.h"
#include "query.h"

#define LOOK_MS 200
#define SHORT_LOOK_MS 20 /* where there is a deadline, clients wait */
#define SAID_SECONDS 60
#define CANCEL_MS 500 /* the same: who does not hear of it so soon is given up */

/*
 * Floats are compared at what both majors print alike. A session is a core at most: by itself the server would let each use two
 * more, and clients wait for all of them.
 */
static const char settings[] = "SET extra_float_digits = 0; SET max_parallel_workers_per_gather = 0";

int pair_connect(const char *uri, DatabaseEnd end, const char *purpose, QueryLimits limits, Database **out,
                 Error *error)
{
    return database_connect_within(uri, end, purpose, limits, out, error) == 0
               ? database_execute(*out, error, settings, 0)
               : -1;
}

/* Before the deadline, if there is one: nobody is waited for beyond it. */
static int connect_by(const CompareOptions *options, const char *uri, DatabaseEnd end, Database **out,
                      Error *error)
{
    QueryLimits limits = options->deadline > 0
                             ? query_within((int)((options->deadline - clock_seconds()) * 1000))
                             : (QueryLimits){.stop = options->stop};
    return pair_connect(uri, end, "compare", limits, out, error);
}

int pair_open(const CompareOptions *options, Database *guard, ComparePair *out, Error *error)
{
    *out = (ComparePair){.source_snapshot = options->source_snapshot,
                         .target_snapshot = options->target_snapshot,
                         .target = guard,
                         .guarded = guard != NULL,
                         .deadline = options->deadline,
                         .stop = options->stop};
    if (connect_by(options, options->source_uri, DATABASE_SOURCE, &out->source, error) != 0 ||
        (guard == NULL &&
         connect_by(options, options->target_uri, DATABASE_TARGET, &out->target, error) != 0)) {
        pair_close(out);
        return -1;
    }
    return 0;
}

void pair_close(ComparePair *pair)
{
    database_close(pair->source);
    database_close(pair->target);
    *pair = (ComparePair){0};
}

/*
 * 15 kB for a table of three columns with its key (11.22 and 14.23, with what a query over 200 of them takes): some 40 MB.
 */
#define TABLE_COLUMNS 10 /* a table is as much as so many columns */
#define MOST_COLUMNS 25000

/* There may be thousands below one. */
void pair_add_table(ComparePair *pair, bool with_those_below, size_t columns)
{
    pair->known += with_those_below ? MOST_COLUMNS : TABLE_COLUMNS + columns;
}

bool pair_is_full(const ComparePair *pair)
{
    return pair->known >= MOST_COLUMNS;
}

void pair_renew(ComparePair *pair, PairOpen open, void *context)
{
    Error ignored;
    ComparePair fresh = {0};
    if (pair->guarded || !pair_is_full(pair)) {
        return;
    }
    if (open(context, &fresh, &ignored) != 0) {
        pair_close(&fresh);
        pair->known = 0; /* to be tried again, but not at once */
        return;
    }
    pair_close(pair);
    *pair = fresh;
}

int pair_begin(ComparePair *pair, Error *error)
{
    return exported_adopt(pair->source, pair->source_snapshot, error) == 0
               ? (pair->guarded ? database_execute(pair->target, error, "SAVEPOINT compared", 0)
                                : exported_adopt(pair->target, pair->target_snapshot, error))
               : -1;
}

int pair_end(ComparePair *pair, Error *error)
{
    return database_execute(pair->source, error, "COMMIT", 0) == 0
               ? database_execute(pair->target, error,
                                  pair->guarded ? "RELEASE SAVEPOINT compared" : "COMMIT", 0)
               : -1;
}

int pair_recover(const CompareOptions *options, ComparePair *pair, Error *error)
{
    Error ignored;
    const char *back =
        pair->guarded ? "ROLLBACK TO SAVEPOINT compared; RELEASE SAVEPOINT compared" : "ROLLBACK";
    if (database_execute(pair->source, &ignored, "ROLLBACK", 0) == 0 &&
        database_execute(pair->target, &ignored, back, 0) == 0) {
        return 0;
    }
    pair_close(pair);
    return pair_open(options, NULL, pair, error);
}

int session_open_guard(const CompareOptions *options, Database **out, Error *error)
{
    return database_connect_within(options->target_uri, DATABASE_TARGET, "compare", options->guard_limits,
                                   out, error) == 0 &&
                   database_execute(*out, error, settings, 0) == 0 &&
                   database_execute(*out, error, "SET idle_in_transaction_session_timeout = 10000", 0) == 0
               ? exported_adopt(*out, options->target_snapshot, error)
               : -1;
}

int pair_execute(ComparePair *pair, const char *sql, Error *error)
{
    return database_execute(pair->source, error, sql, 0) == 0 ? database_execute(pair->target, error, sql, 0)
                                                              : -1;
}

static int send(Database *database, const char *sql, int count, const char *const *values, Error *error)
{
    int sent = count == 0 ? PQsendQuery(database_connection(database), sql)
                          : PQsendQueryParams(database_connection(database), sql, count, NULL, values, NULL,
                                              NULL, 0);
    return sent ? 0 : database_error(database, NULL, error);
}

static bool is_late(const ComparePair *pair)
{
    return pair->deadline > 0 && clock_seconds() >= pair->deadline;
}

static int give_up(ComparePair *pair)
{
    query_cancel(database_connection(pair->source), CANCEL_MS);
    query_cancel(database_connection(pair->target), CANCEL_MS);
    return -1;
}

/* Once in a query: a large table may take that long, and so may a lock, or a process that stands still. */
static void say_waiting(ComparePair *pair, const Database *database, PGconn *connection, double *since)
{
    char line[200];
    if (pair->say == NULL || *since <= 0 || clock_seconds() - *since < SAID_SECONDS) {
        return;
    }
    *since = 0;
    snprintf(line, sizeof line,
             "process %d of the %s has been at a comparison for %d s: its pg_stat_activity says with what, "
             "and whether it waits",
             PQbackendPID(connection), database == pair->source ? "source" : "target", SAID_SECONDS);
    pair->say(pair->context, line);
}

static int wait_for(ComparePair *pair, Database *database, Error *error)
{
    double since = clock_seconds();
    PGconn *connection = database_connection(database);
    while (PQisBusy(connection)) {
        say_waiting(pair, database, connection, &since);
        if (pair->stop != NULL && pair->stop()) {
            error_set(error, ERROR_INTERRUPTED, "interrupted");
            return give_up(pair);
        }
        if (is_late(pair)) {
            error_set(error, ERROR_LIMIT, "there was no more time to compare");
            return give_up(pair);
        }
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        poll(&fd, 1, pair->deadline > 0 ? SHORT_LOOK_MS : LOOK_MS);
        if (!PQconsumeInput(connection)) {
            return database_error(database, NULL, error);
        }
    }
    return 0;
}

static int receive(ComparePair *pair, Database *database, PGresult **out, Error *error)
{
    if (wait_for(pair, database, error) != 0) {
        return -1;
    }
    *out = PQgetResult(database_connection(database));
    PGresult *more;
    while ((more = PQgetResult(database_connection(database))) != NULL) {
        PQclear(more);
    }
    return PQresultStatus(*out) == PGRES_TUPLES_OK ? 0 : database_error(database, *out, error);
}

/* What was asked is read to its end on both sides, whatever one of them says: the sessions are used again. */
int pair_query(ComparePair *pair, const char *sql, int count, const char *const *values, PGresult **source,
               PGresult **target, Error *error)
{
    Error ignored;
    *source = *target = NULL;
    if (send(pair->source, sql, count, values, error) != 0) {
        return -1;
    }
    int status = send(pair->target, sql, count, values, error);
    bool both = status == 0;
    if (receive(pair, pair->source, source, status == 0 ? error : &ignored) != 0 && status == 0) {
        status = -1;
        query_cancel(database_connection(pair->target), QUERY_CANCEL_MS);
    }
    if (both && receive(pair, pair->target, target, status == 0 ? error : &ignored) != 0) {
        status = -1;
    }
    if (status != 0) {
        PQclear(*source);
        PQclear(*target);
        *source = *target = NULL;
    }
    return status;
}

int pair_query_rows(ComparePair *pair, const char *sql, int count, const char *const *values,
                    PGresult **source, PGresult **target, Error *error)
{
    if ((pair->careful && pair_execute(pair, "SET LOCAL search_path TO DEFAULT", error) != 0) ||
        pair_query(pair, sql, count, values, source, target, error) != 0) {
        return -1;
    }
    if (!pair->careful || pair_execute(pair, "SET LOCAL search_path = pg_catalog", error) == 0) {
        return 0;
    }
    PQclear(*source);
    PQclear(*target);
    *source = *target = NULL;
    return -1;
}
