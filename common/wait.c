/*
 * poll() in slices, since a signal that asks us to stop may come to another thread, or between the look at the flag and
 * the poll.
 */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "clock.h"

#define SLICE_MS 100

int wait_socket(const PGconn *connection, short events, const QueryLimits *limits, Error *error)
{
    while (true) {
        if (limits->stop != NULL && limits->stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        int64_t left = limits->deadline != 0 ? limits->deadline - clock_ms() : SLICE_MS;
        if (left <= 0) {
            return error_set(error, ERROR_LIMIT, "no answer in time");
        }
        struct pollfd fd = {.fd = PQsocket(connection), .events = events};
        int ready = poll(&fd, 1, left < SLICE_MS ? (int)left : SLICE_MS);
        if (ready > 0) {
            return 0; /* libpq meets a broken socket by itself, and says so */
        }
        if (ready < 0 && errno != EINTR) {
            return error_set(error, ERROR_SYSTEM, "poll: %s", strerror(errno));
        }
    }
}
