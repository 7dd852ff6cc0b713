/*
 * A statement is sent without blocking, then read as it comes; libpq is asked for a result only when it has one whole.
 *
 *     send ──► flush, read ──► results … ──► none left: done
 *                 │ deadline, stop
 *                 ▼
 *              cancel ──► an answer within the grace: done, or cancelled, or its own error
 *                 │ none
 *                 ▼
 *              the socket is shut down: the connection is lost, and whoever uses it next is told so
 *
 * A cancellation is a request of its own, which the server may take at any later time: when the statement that it was meant for
 * is done, it would hit the one that comes next. The server hangs up when it has sent the signal (processCancelRequest, which
 * PQcancel waits for), and a backend that is between two statements by then forgets it (PostgresMain, step 4; 11 and newer). So
 * until it has hung up, nothing else is sent; and where it does not within the grace, nothing is sent ever again.
 *
 * That PQcancel waits for minutes where the host is gone (libpq up to 16 knows no other way). So it runs in a thread, which is
 * left to itself at the end of the grace; what both touch goes with the last of the two.
 *
 * Up to the deadline the server's own statement_timeout is not relied on: it says nothing where the backend is stopped or
 * the network is cut.
 */
#include "query.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "database_parts.h"
#include "wait.h"

#define WORDS_SHOWN 60

QueryLimits query_within(int ms)
{
    return (QueryLimits){.deadline = clock_ms() + (ms > 0 ? ms : 0)};
}

QueryLimits query_sooner(QueryLimits one, QueryLimits other)
{
    QueryLimits out = one;
    if (out.deadline == 0 || (other.deadline != 0 && other.deadline < out.deadline)) {
        out.deadline = other.deadline;
    }
    if (out.stop == NULL) {
        out.stop = other.stop;
    }
    return out;
}

/* --- cancelling --- */

typedef struct Cancellation {
    PGcancel *handle;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool over;  /* the server has hung up, or was not reached */
    int owners; /* the thread, and who waits for it */
} Cancellation;

static Cancellation *cancellation_new(PGcancel *handle)
{
    Cancellation *one = calloc(1, sizeof *one);
    if (one == NULL) {
        abort();
    }
    one->handle = handle;
    one->owners = 2;
    pthread_mutex_init(&one->mutex, NULL);
    clock_condition(&one->changed);
    return one;
}

static void let_go(Cancellation *one)
{
    pthread_mutex_lock(&one->mutex);
    bool last = --one->owners == 0;
    pthread_mutex_unlock(&one->mutex);
    if (last) {
        pthread_cond_destroy(&one->changed);
        pthread_mutex_destroy(&one->mutex);
        PQfreeCancel(one->handle);
        free(one);
    }
}

static void *cancel_in_thread(void *argument)
{
    Cancellation *one = argument;
    char ignored[256];
    (void)PQcancel(one->handle, ignored, sizeof ignored);
    pthread_mutex_lock(&one->mutex);
    one->over = true;
    pthread_cond_signal(&one->changed);
    pthread_mutex_unlock(&one->mutex);
    let_go(one);
    return NULL;
}

/* Whether it comes to its end within the time. */
static bool wait_for_end(Cancellation *one, int ms)
{
    const struct timespec until = clock_after_ms(ms);
    pthread_mutex_lock(&one->mutex);
    while (!one->over && pthread_cond_timedwait(&one->changed, &one->mutex, &until) != ETIMEDOUT) {
    }
    bool over = one->over;
    pthread_mutex_unlock(&one->mutex);
    return over;
}

/* The connection is of no use any more: what would be read from it is the answer to another question. */
static void give_up(PGconn *connection)
{
    shutdown(PQsocket(connection), SHUT_RDWR); /* first: what is unsent would be waited for */
    PQsetnonblocking(connection, 1);
    while (PQstatus(connection) != CONNECTION_BAD && PQconsumeInput(connection)) {
    }
}

static bool cancel(PGconn *connection, int ms)
{
    pthread_t thread;
    PGcancel *handle = PQgetCancel(connection);
    if (handle == NULL) {
        return true; /* there is no connection */
    }
    Cancellation *one = cancellation_new(handle);
    if (pthread_create(&thread, NULL, cancel_in_thread, one) != 0) {
        let_go(one);
        let_go(one);
        return false;
    }
    pthread_detach(thread);
    bool over = wait_for_end(one, ms);
    let_go(one);
    return over;
}

void query_cancel(PGconn *connection, int ms)
{
    if (!cancel(connection, ms)) {
        give_up(connection);
    }
}

/* --- waiting --- */

static int lost(const PGconn *connection, Error *error)
{
    const char *message = PQerrorMessage(connection);
    const char *fatal = strstr(message, "FATAL:  ");
    message = fatal != NULL ? fatal + 8 : message;
    return error_set(error, ERROR_CONNECTION, "%.*s", (int)strcspn(message, "\n"), message);
}

int query_await(PGconn *connection, QueryLimits limits, Error *error)
{
    int unsent = PQflush(connection);
    while (unsent > 0 || PQisBusy(connection)) {
        if (wait_socket(connection, (short)(POLLIN | (unsent > 0 ? POLLOUT : 0)), &limits, error) != 0) {
            return -1;
        }
        if (!PQconsumeInput(connection)) {
            return lost(connection, error);
        }
        if (unsent > 0) {
            unsent = PQflush(connection);
        }
    }
    return unsent < 0 ? lost(connection, error) : 0;
}

int query_await_connection(PGconn *connection, QueryLimits limits, Error *error)
{
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK) {
        if (PQstatus(connection) == CONNECTION_BAD || wanted == PGRES_POLLING_FAILED) {
            return lost(connection, error);
        }
        if (wait_socket(connection, wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, &limits, error) !=
            0) {
            return -1;
        }
        wanted = PQconnectPoll(connection);
    }
    return 0;
}

/* --- results --- */

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
           is_copy(result);
}

/*
 * Reads results to the end, or to where a COPY begins: *last is the last, or the first that failed. What ended the wait
 * early is in error.
 */
static int read_results(PGconn *connection, QueryLimits limits, PGresult **last, Error *error)
{
    while (query_await(connection, limits, error) == 0) {
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            return 0;
        }
        if (*last != NULL && !succeeded(*last)) {
            PQclear(result);
            continue;
        }
        PQclear(*last);
        *last = result;
        if (is_copy(result)) {
            return 0;
        }
    }
    return error->code == ERROR_CONNECTION && *last != NULL && !succeeded(*last) ? 0 : -1;
}

/* The first words of the SQL, on one line, up to what may be a secret. */
static void describe(const Query *query, char out[WORDS_SHOWN + 8])
{
    size_t used = 0;
    const char *at = query->what != NULL ? query->what : query->sql;
    for (; *at != '\0' && used < WORDS_SHOWN && (query->what != NULL || strchr("'$", *at) == NULL); at++) {
        bool space = *at == ' ' || *at == '\n';
        if (!space || (used > 0 && out[used - 1] != ' ')) {
            out[used++] = space ? ' ' : *at;
        }
    }
    used -= used > 0 && out[used - 1] == ' ';
    snprintf(out + used, 8, "%s", *at != '\0' ? " …" : "");
}

/* Says what was waited for, and how long. */
static int ended_early(const Database *database, const Query *query, int64_t began, bool answered,
                       Error *error)
{
    char words[WORDS_SHOWN + 8];
    const char *side = database_end_name(database->end);
    double waited = (double)(clock_ms() - began) / 1000.0;
    ErrorCode code = error->code;
    describe(query, words);
    if (code == ERROR_INTERRUPTED) {
        return error_set(error, code, "%s: interrupted after %.1f s in: %s", side, waited, words);
    }
    return error_set(error, code, "%s: not done within %.1f s: %s%s", side, waited, words,
                     answered ? "" : "; it did not answer to the cancellation either");
}

/*
 * The wait has ended early: cancels. The statement may have been done, or failed of itself, before that came.
 */
static int stop_statement(Database *database, const Query *query, int64_t began, PGresult **last,
                          Error *error)
{
    PGconn *connection = database->connection;
    Error ignored;
    bool heard = cancel(connection, QUERY_CANCEL_MS);
    (void)PQconsumeInput(connection);
    bool answered = read_results(connection, query_within(heard ? QUERY_CANCEL_MS : 0), last, &ignored) == 0;
    bool copies = *last != NULL && is_copy(*last);
    if (!heard || !answered || copies) {
        give_up(connection);
    }
    if (!answered || copies) {
        return ended_early(database, query, began, answered, error);
    }
    if (*last != NULL && succeeded(*last)) {
        return 0;
    }
    const char *sqlstate = PQresultErrorField(*last, PG_DIAG_SQLSTATE);
    return sqlstate != NULL && strcmp(sqlstate, "57014") != 0
               ? database_error(database, *last, error)
               : ended_early(database, query, began, true, error);
}

/* began: when the statement was sent. */
static int finish(Database *database, const Query *query, int64_t began, PGresult **out, Error *error)
{
    QueryLimits limits = query_sooner(query->limits, database->limits);
    PGresult *last = NULL;
    int status = read_results(database->connection, limits, &last, error);
    if (status != 0) {
        status = error->code == ERROR_LIMIT || error->code == ERROR_INTERRUPTED
                     ? stop_statement(database, query, began, &last, error)
                     : database_error(database, NULL, error);
    } else if (last == NULL || !succeeded(last)) {
        status = database_error(database, last, error);
    }
    if (status == 0 && out != NULL) {
        *out = last;
        return 0;
    }
    PQclear(last);
    return status;
}

int query_finish(Database *database, const Query *query, PGresult **out, Error *error)
{
    if (out != NULL) {
        *out = NULL;
    }
    return finish(database, query, query->began != 0 ? query->began : clock_ms(), out, error);
}

/* What an earlier caller has left unread, as PQexec does. */
static int discard(Database *database, const QueryLimits *limits, Error *error)
{
    PGresult *left = NULL;
    if (PQtransactionStatus(database->connection) != PQTRANS_ACTIVE) {
        return 0;
    }
    int status = read_results(database->connection, *limits, &left, error);
    PQclear(left);
    return status;
}

#define STATEMENT_NAME 32

static void name_statement(int place, char out[STATEMENT_NAME])
{
    snprintf(out, STATEMENT_NAME, "penstock_often_%d", place);
}

/* Where the statement is among those that are prepared; -1 when it is not, and is to be sent as it is. */
static int place_of(const Database *database, const Query *query)
{
    for (int i = 0; query->often && i < database->prepared_count; i++) {
        if (database->prepared[i] == query->sql) {
            return i;
        }
    }
    return -1;
}

/* A name is used once, since the server may have it all the same when the preparation was cut short. */
static int prepare(Database *database, const Query *query, int64_t began, Error *error)
{
    char name[STATEMENT_NAME];
    if (!query->often || database->prepared_count == PREPARED_MAX || place_of(database, query) >= 0) {
        return 0;
    }
    int place = database->prepared_count++;
    name_statement(place, name);
    if (!PQsendPrepare(database->connection, name, query->sql, query->count, NULL)) {
        return database_error(database, NULL, error);
    }
    int status = finish(database, query, began, NULL, error);
    database->prepared[place] = status == 0 ? query->sql : NULL;
    return status;
}

static int send_query(Database *database, const Query *query, Error *error)
{
    int sent;
    char name[STATEMENT_NAME];
    PGconn *connection = database->connection;
    int place = place_of(database, query);
    name_statement(place, name);
    if (place >= 0) {
        sent = PQsendQueryPrepared(connection, name, query->count, query->values, NULL, NULL, 0);
    } else if (query->count > 0) {
        sent = PQsendQueryParams(connection, query->sql, query->count, NULL, query->values, NULL, NULL, 0);
    } else {
        sent = PQsendQuery(connection, query->sql);
    }
    return sent ? 0 : database_error(database, NULL, error);
}

int query_send(Database *database, const Query *query, Error *error)
{
    QueryLimits limits = query_sooner(query->limits, database->limits);
    PQsetnonblocking(database->connection, 1);
    return discard(database, &limits, error) == 0 && prepare(database, query, clock_ms(), error) == 0
               ? send_query(database, query, error)
               : -1;
}

int query_run(Database *database, const Query *query, PGresult **out, Error *error)
{
    QueryLimits limits = query_sooner(query->limits, database->limits);
    PGconn *connection = database->connection;
    int64_t began = clock_ms();
    if (out != NULL) {
        *out = NULL;
    }
    if (query->count > 0 && database->end == DATABASE_PROXY) {
        return error_set(error, ERROR_USAGE, "proxy: a query with %d parameters cannot be sent there",
                         query->count);
    }
    if ((limits.stop != NULL && limits.stop()) || (limits.deadline != 0 && limits.deadline <= began)) {
        error->code = limits.deadline != 0 && limits.deadline <= began ? ERROR_LIMIT : ERROR_INTERRUPTED;
        return ended_early(database, query, began, true, error);
    }
    int blocks = PQisnonblocking(connection) == 0;
    int status = query_send(database, query, error);
    if (status == 0) {
        status = finish(database, query, began, out, error);
    }
    if (blocks && PQstatus(connection) == CONNECTION_OK) {
        PQsetnonblocking(connection, 0);
    }
    return status;
}
