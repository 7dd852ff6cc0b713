/*
 * Waits are short polls in a loop: a signal sets a flag that the next turn sees, at most a second later. A
 * cancelled statement is not waited for: the caller closes the connection, and the server rolls back. Every plain statement of
 * these sessions ends so, too, whatever it waits for: behind a signal nothing is to be put in order that kill -9 would not
 * leave as well.
 */
#include "session.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "command.h"
#include "query.h"
#include "text.h"

#define LAST_WORDS_MS 5000

static int prepare(Database *database, const char *encoding, Error *error)
{
    Text sql = {0};
    text_printf(&sql, "SET lock_timeout = '%ds';", SESSION_LOCK_TIMEOUT);
    if (encoding != NULL) {
        text_printf(&sql, "SET client_encoding = '%s'", encoding);
    }
    int status = database_execute(database, error, sql.data, 0);
    text_free(&sql);
    return status;
}

int session_open_as(SessionKind kind, const char *uri, DatabaseEnd end, const char *purpose,
                    const char *encoding, Database **out, Error *error)
{
    Database *database = NULL;
    if (database_connect_as(kind, uri, end, purpose, &database, error) != 0) {
        return -1;
    }
    if (prepare(database, encoding, error) != 0) {
        database_close(database);
        return -1;
    }
    database_limit(database, (QueryLimits){.stop = interrupted});
    *out = database;
    return 0;
}

int session_open(const char *uri, DatabaseEnd end, const char *purpose, const char *encoding, Database **out,
                 Error *error)
{
    return session_open_as(SESSION_PLAIN, uri, end, purpose, encoding, out, error);
}

void session_last_words(Database *database)
{
    if (database != NULL) {
        database_limit(database, query_within(LAST_WORDS_MS));
    }
}

int session_open_replication(const char *uri, const char *purpose, Database **out, Error *error)
{
    char *conninfo = database_replication(uri);
    int status = database_connect(conninfo != NULL ? conninfo : uri, DATABASE_SOURCE, purpose, out, error);
    free(conninfo);
    return status;
}

int session_stopped(const SessionWait *wait, Error *error)
{
    if (interrupted() || (wait->stop != NULL && atomic_load(wait->stop))) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted while %s", wait->what);
    }
    return 0;
}

int session_poll(Database *database, bool for_writing, const SessionWait *wait, Error *error)
{
    if (session_stopped(wait, error) != 0) {
        return -1;
    }
    struct pollfd fd = {.fd = PQsocket(database_connection(database)),
                        .events = (short)(POLLIN | (for_writing ? POLLOUT : 0))};
    int ready = poll(&fd, 1, 1000);
    if (ready < 0 && errno != EINTR) {
        return error_set(error, ERROR_SYSTEM, "poll: %s", strerror(errno));
    }
    return ready > 0 ? 1 : session_stopped(wait, error);
}

void session_cancel(Database *database)
{
    query_cancel(database_connection(database), QUERY_CANCEL_MS);
}

/* Waits until PQgetResult will not block. */
static int wait_result(Database *database, const SessionWait *wait, Error *error)
{
    PGconn *connection = database_connection(database);
    double deadline = clock_seconds() + wait->limit_seconds;
    while (PQisBusy(connection)) {
        int ready = session_poll(database, false, wait, error);
        if (ready < 0) {
            session_cancel(database);
            return -1;
        }
        if (ready > 0 && PQconsumeInput(connection) == 0) {
            return database_error(database, NULL, error);
        }
        if (ready == 0 && clock_seconds() >= deadline) {
            session_cancel(database);
            return error_set(error, ERROR_LIMIT, "%s took longer than %d s", wait->what, wait->limit_seconds);
        }
    }
    return 0;
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT;
}

/* Behind an error, so that the session can be used for another statement. */
static void read_rest(Database *database, const SessionWait *wait)
{
    Error ignored;
    PGresult *result = NULL;
    while (wait_result(database, wait, &ignored) == 0 &&
           (result = PQgetResult(database_connection(database))) != NULL) {
        bool copies = is_copy(result);
        PQclear(result);
        if (copies) {
            return;
        }
    }
}

int session_next(Database *database, const SessionWait *wait, PGresult **out, Error *error)
{
    *out = NULL;
    if (wait_result(database, wait, error) != 0) {
        return -1;
    }
    PGresult *result = PQgetResult(database_connection(database));
    ExecStatusType status = result != NULL ? PQresultStatus(result) : PGRES_COMMAND_OK;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !is_copy(result)) {
        database_error(database, result, error);
        PQclear(result);
        read_rest(database, wait);
        return -1;
    }
    *out = result;
    return 0;
}

int session_next_copy(Database *database, const SessionWait *wait, Error *error)
{
    PGresult *result = NULL;
    for (bool copies = false; !copies;) {
        if (session_next(database, wait, &result, error) != 0) {
            return -1;
        }
        if (result == NULL) {
            return error_set(error, ERROR_TARGET, "%s: a server began no COPY", wait->what);
        }
        copies = is_copy(result);
        PQclear(result);
    }
    return 0;
}

int session_finish(Database *database, const SessionWait *wait, PGresult **out, Error *error)
{
    PGresult *last = NULL, *result = NULL;
    for (;;) {
        if (session_next(database, wait, &result, error) != 0) {
            PQclear(last);
            return -1;
        }
        if (result == NULL) {
            break;
        }
        PQclear(last);
        last = result;
        if (is_copy(result)) {
            break;
        }
    }
    *out = last;
    return 0;
}

int session_run(Database *database, const char *sql, const SessionWait *wait, PGresult **out, Error *error)
{
    if (PQsendQuery(database_connection(database), sql) == 0) {
        return database_error(database, NULL, error);
    }
    return session_finish(database, wait, out, error);
}
