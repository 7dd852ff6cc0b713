/*
 * A session is found again by its process number and the time at which it began: numbers come again. It is not asked whether a
 * snapshot can still be imported, but whether the session that exported it is there: that is the same (snapmgr.c: the file goes
 * with the transaction).
 */
#include "moment.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "detach.h"
#include "disposition.h"
#include "query.h"

#define ANSWER_SIZE 2000 /* below PIPE_BUF: written whole */

struct MomentKeeper {
    int pipe;
};

/* --- the keeper --- */

/* Keeps one side as it is now, for as long as *holder lives. */
static int export_snapshot(const char *uri, DatabaseEnd end, QueryLimits limits, Database **holder,
                           json_t *out, Error *error)
{
    PGresult *row;
    const char *side = database_end_name(end);
    if (database_connect_within(uri, end, "cutover snapshot", limits, holder, error) != 0 ||
        database_execute(*holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_query(*holder, &row, error,
                       "SELECT pg_export_snapshot(), pid, backend_start FROM pg_stat_activity"
                       " WHERE pid = pg_backend_pid()",
                       0) != 0) {
        return -1;
    }
    int status =
        PQntuples(row) == 1 ? 0 : error_set(error, ERROR_STATE, "the %s does not show its sessions", side);
    if (status == 0) {
        json_object_set_new(out, side,
                            json_pack("{s:s, s:s, s:s}", "snapshot", PQgetvalue(row, 0, 0), "pid",
                                      PQgetvalue(row, 0, 1), "began", PQgetvalue(row, 0, 2)));
    }
    PQclear(row);
    return status;
}

static void leave_command(int kept, int other)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal_ignore(ignored[i]);
    }
    detach_close_all_but((const int[]){kept, other}, 2);
    prctl(PR_SET_NAME, "penstock-moment");
}

static void answer(int pipe, const json_t *said)
{
    char text[ANSWER_SIZE];
    size_t size = json_dumpb(said, text, sizeof text, JSON_COMPACT);
    while (size <= sizeof text && write(pipe, text, size) < 0 && errno == EINTR) {
    }
    close(pipe);
}

/* False when the connection is lost: nothing else makes it speak. */
static bool is_alive(Database *database)
{
    PGconn *connection = database_connection(database);
    return PQconsumeInput(connection) && PQstatus(connection) == CONNECTION_OK;
}

static void wait_for_end(int orders, Database *source, Database *target)
{
    struct pollfd fds[] = {{.fd = PQsocket(database_connection(source)), .events = POLLIN},
                           {.fd = PQsocket(database_connection(target)), .events = POLLIN},
                           {.fd = orders, .events = POLLIN}};
    for (int64_t end = clock_ms() + MOMENT_LIMIT_S * 1000LL, left; (left = end - clock_ms()) > 0;) {
        char order;
        int ready = poll(fds, 3, (int)left);
        if (ready > 0 && fds[2].revents != 0) {
            ssize_t size = read(orders, &order, 1);
            if (size > 0) {
                return;
            }
            fds[2].fd = size == 0 ? -1 : fds[2].fd; /* the command is gone, and has not said to end */
        }
        if (ready > 0 &&
            ((fds[0].revents != 0 && !is_alive(source)) || (fds[1].revents != 0 && !is_alive(target)))) {
            return;
        }
    }
}

typedef struct Keep {
    int orders, answers; /* its ends of two pipes */
    const char *source_uri, *target_uri;
    QueryLimits limits;
} Keep;

static void keep(void *context)
{
    const Keep *asked = context;
    int orders = asked->orders, answers = asked->answers;
    QueryLimits limits = asked->limits;
    Database *source = NULL, *target = NULL;
    Error error = {.code = ERROR_NONE};
    json_t *said = json_object();
    limits.stop = NULL;
    leave_command(orders, answers);
    if (export_snapshot(asked->source_uri, DATABASE_SOURCE, limits, &source, said, &error) != 0 ||
        export_snapshot(asked->target_uri, DATABASE_TARGET, limits, &target, said, &error) != 0) {
        json_object_set_new(said, "error", json_string(error.message));
        json_object_set_new(said, "code", json_integer(error.code));
        answer(answers, said);
        _exit(1);
    }
    answer(answers, said);
    wait_for_end(orders, source, target);
    database_close(source);
    database_close(target);
}

/* --- the command --- */

static int read_answer(int pipe, QueryLimits limits, json_t *detail, Error *error)
{
    char text[ANSWER_SIZE];
    struct pollfd fd = {.fd = pipe, .events = POLLIN};
    while (poll(&fd, 1, 50) <= 0) {
        if (limits.stop != NULL && limits.stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (limits.deadline > 0 && clock_ms() > limits.deadline) {
            return error_set(error, ERROR_LIMIT, "the snapshots of both sides were not there in time");
        }
    }
    ssize_t size = read(pipe, text, sizeof text);
    json_t *said = size > 0 ? json_loadb(text, (size_t)size, 0, NULL) : NULL;
    const char *wrong = json_string_value(json_object_get(said, "error"));
    int status = 0;
    if (said == NULL || wrong != NULL) {
        int code = (int)json_integer_value(json_object_get(said, "code"));
        status = error_set(error, code != 0 ? (ErrorCode)code : ERROR_SYSTEM, "%.500s",
                           wrong != NULL ? wrong : "the process that keeps the snapshots has ended");
    } else {
        json_object_update(detail, said);
    }
    json_decref(said);
    return status;
}

int moment_begin(const char *source_uri, const char *target_uri, QueryLimits limits, json_t *detail,
                 MomentKeeper **out, Error *error)
{
    int orders[2], answers[2];
    *out = NULL;
    if (pipe2(orders, O_CLOEXEC) != 0) {
        return error_set(error, ERROR_SYSTEM, "no pipe: %s", strerror(errno));
    }
    if (pipe2(answers, O_CLOEXEC) != 0) {
        close(orders[0]);
        close(orders[1]);
        return error_set(error, ERROR_SYSTEM, "no pipe: %s", strerror(errno));
    }
    Keep asked = {.orders = orders[0],
                  .answers = answers[1],
                  .source_uri = source_uri,
                  .target_uri = target_uri,
                  .limits = limits};
    int status = detach(keep, &asked) ? 0
                                      : error_set(error, ERROR_SYSTEM, "no process to keep the snapshots: %s",
                                                  strerror(errno));
    close(orders[0]);
    close(answers[1]);
    if (status == 0) {
        status = read_answer(answers[0], limits, detail, error);
    }
    close(answers[0]);
    *out = calloc(1, sizeof **out);
    (*out)->pipe = orders[1];
    if (status != 0) {
        moment_end(*out);
        *out = NULL;
    }
    return status;
}

void moment_leave(MomentKeeper *keeper)
{
    if (keeper != NULL) {
        close(keeper->pipe);
        free(keeper);
    }
}

void moment_end(MomentKeeper *keeper)
{
    if (keeper != NULL) {
        while (write(keeper->pipe, "e", 1) < 0 && errno == EINTR) {
        }
        moment_leave(keeper);
    }
}

/* --- of the journal --- */

#define KEEPER " FROM pg_stat_activity WHERE pid = $1::int AND backend_start = $2::timestamptz"

static const json_t *side_of(const json_t *detail, DatabaseEnd end, const char **pid, const char **began)
{
    const json_t *side = json_object_get(detail, database_end_name(end));
    *pid = json_string_value(json_object_get(side, "pid"));
    *began = json_string_value(json_object_get(side, "began"));
    return *pid != NULL && *began != NULL ? side : NULL;
}

static int read_side(Database *database, DatabaseEnd end, const json_t *detail, char out[64], Error *why)
{
    const char *pid, *began;
    const json_t *side = side_of(detail, end, &pid, &began);
    bool there = false;
    if (side == NULL) {
        return error_set(why, ERROR_STATE, "no snapshot was kept");
    }
    if (database == NULL) {
        return error_set(why, ERROR_CONNECTION, "the %s does not answer", database_end_name(end));
    }
    if (database_found(database, &there, why, "SELECT 1" KEEPER, 2, pid, began) != 0) {
        return -1;
    }
    const char *name = json_string_value(json_object_get(side, "snapshot"));
    snprintf(out, 64, "%s", name != NULL ? name : "");
    return there ? 0
                 : error_set(why, ERROR_STATE, "the session that kept the snapshot of the %s has ended",
                             database_end_name(end));
}

bool moment_read(Database *source, Database *target, const json_t *detail, Moment *out, Error *why)
{
    *out = (Moment){.source = ""};
    if (read_side(source, DATABASE_SOURCE, detail, out->source, why) == 0 &&
        read_side(target, DATABASE_TARGET, detail, out->target, why) == 0) {
        return true;
    }
    *out = (Moment){.source = ""};
    return false;
}

int moment_forget(Database *database, DatabaseEnd end, const json_t *detail, Error *error)
{
    const char *pid, *began;
    return side_of(detail, end, &pid, &began) == NULL
               ? 0
               : database_execute(database, error, "SELECT pg_terminate_backend(pid)" KEEPER, 2, pid, began);
}
