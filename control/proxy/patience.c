/*
 * poll() in slices of 100 ms, since a signal that asks us to stop is only seen between two of them.
 */
#include "patience.h"

#include <poll.h>
#include <string.h>

#include "clock.h"

#define SLICE_MS 100

long long patience_until(int limit_ms)
{
    return clock_ms() + limit_ms;
}

const char *patience_words(const PGconn *connection, int *length)
{
    const char *message = PQerrorMessage(connection);
    const char *fatal = strstr(message, "FATAL:  ");
    message = fatal != NULL ? fatal + 8 : message;
    *length = (int)strcspn(message, "\n");
    return message;
}

static int lost(const PGconn *connection, Error *error)
{
    int length;
    const char *words = patience_words(connection, &length);
    return error_set(error, ERROR_CONNECTION, "%.*s", length, words);
}

/* One slice at most. */
static int wait_for(const PGconn *connection, short events, long long deadline, Error *error)
{
    long long left = deadline - clock_ms();
    struct pollfd fd = {.fd = PQsocket(connection), .events = events};
    if (left <= 0) {
        return error_set(error, ERROR_LIMIT, "no answer in time");
    }
    poll(&fd, 1, left < SLICE_MS ? (int)left : SLICE_MS);
    return 0;
}

static bool is_ready(const PGconn *connection, short events)
{
    struct pollfd fd = {.fd = PQsocket(connection), .events = events};
    return poll(&fd, 1, 0) > 0;
}

int patience_connect(PGconn *connection, long long deadline, Error *error)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK) {
        if (PQstatus(connection) == CONNECTION_BAD || status == PGRES_POLLING_FAILED) {
            return lost(connection, error);
        }
        short events = status == PGRES_POLLING_READING ? POLLIN : POLLOUT;
        while (!is_ready(connection, events)) {
            if (wait_for(connection, events, deadline, error) != 0) {
                return -1;
            }
        }
        status = PQconnectPoll(connection);
    }
    return 0;
}

int patience_answer(PGconn *connection, long long deadline, bool (*stop)(void), Error *error)
{
    while (PQisBusy(connection)) {
        if (stop != NULL && stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (wait_for(connection, POLLIN, deadline, error) != 0) {
            return -1;
        }
        if (!PQconsumeInput(connection)) {
            return lost(connection, error);
        }
    }
    return 0;
}
