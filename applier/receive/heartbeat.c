/*
 * One mutex guards the last answer and the wish to stop; it is not held while a question is under way.
 *
 *     connect ──► ask ──(1 s)──► ask …
 *        ▲         └ failed ──┐
 *        └──────(5 s)─────────┘
 *
 * Time is taken before the position, so that what was committed by that time lies before the position.
 */
#include "heartbeat.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "database.h"

#define ASK_MS 1000
#define FAILED_MS 5000

struct Heartbeat {
    const char *source;
    const Log *log;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool stopping;
    int socket; /* a descriptor of our own for the connection's, or -1 */
    Beat last;

    /* The thread's own. */
    Database *database;
    bool failing;
};

static bool stopping(Heartbeat *heartbeat)
{
    pthread_mutex_lock(&heartbeat->mutex);
    bool stop = heartbeat->stopping;
    pthread_mutex_unlock(&heartbeat->mutex);
    return stop;
}

static void set_socket(Heartbeat *heartbeat, int socket)
{
    pthread_mutex_lock(&heartbeat->mutex);
    if (heartbeat->socket >= 0) {
        close(heartbeat->socket);
    }
    heartbeat->socket = socket;
    pthread_mutex_unlock(&heartbeat->mutex);
}

static int ensure_connection(Heartbeat *heartbeat, Error *error)
{
    if (heartbeat->database != NULL) {
        return 0;
    }
    if (database_connect(heartbeat->source, DATABASE_SOURCE, "applier heartbeat", &heartbeat->database,
                         error) != 0) {
        return -1;
    }
    set_socket(heartbeat, dup(PQsocket(database_connection(heartbeat->database))));
    return 0;
}

static int ask(Heartbeat *heartbeat, Error *error)
{
    PGresult *result = NULL;
    if (ensure_connection(heartbeat, error) != 0 ||
        database_query(heartbeat->database, &result, error,
                       "SELECT ((extract(epoch FROM clock_timestamp()) - 946684800) * 1000000)::int8, "
                       "pg_current_wal_flush_lsn()",
                       0) != 0) {
        return -1;
    }
    Beat beat = {.time = strtoll(PQgetvalue(result, 0, 0), NULL, 10)};
    bool valid = lsn_parse(PQgetvalue(result, 0, 1), &beat.wal_end);
    PQclear(result);
    if (!valid) {
        return error_set(error, ERROR_SOURCE, "the source gave a position that is none");
    }
    pthread_mutex_lock(&heartbeat->mutex);
    beat.number = heartbeat->last.number + 1;
    heartbeat->last = beat;
    pthread_mutex_unlock(&heartbeat->mutex);
    return 0;
}

static void disconnect(Heartbeat *heartbeat)
{
    set_socket(heartbeat, -1);
    database_close(heartbeat->database);
    heartbeat->database = NULL;
}

static void wait_until_due(Heartbeat *heartbeat, int milliseconds)
{
    struct timespec due = clock_after_ms(milliseconds);
    pthread_mutex_lock(&heartbeat->mutex);
    while (!heartbeat->stopping && pthread_cond_timedwait(&heartbeat->wake, &heartbeat->mutex, &due) == 0) {
    }
    pthread_mutex_unlock(&heartbeat->mutex);
}

static void *run(void *argument)
{
    Heartbeat *heartbeat = argument;
    while (!stopping(heartbeat)) {
        Error error = {0};
        bool failed = ask(heartbeat, &error) != 0;
        if (failed && !heartbeat->failing && !stopping(heartbeat)) {
            log_line(heartbeat->log, LOG_INFO, "no heartbeat, so that an idle source seems to lag: %s",
                     error.message);
        }
        if (failed) {
            disconnect(heartbeat);
        }
        heartbeat->failing = failed;
        wait_until_due(heartbeat, failed ? FAILED_MS : ASK_MS);
    }
    disconnect(heartbeat);
    return NULL;
}

static void heartbeat_free(Heartbeat *heartbeat)
{
    pthread_cond_destroy(&heartbeat->wake);
    pthread_mutex_destroy(&heartbeat->mutex);
    free(heartbeat);
}

int heartbeat_start(const char *source, const Log *log, Heartbeat **out, Error *error)
{
    Heartbeat *heartbeat = calloc(1, sizeof *heartbeat);
    if (heartbeat == NULL) {
        abort();
    }
    heartbeat->source = source;
    heartbeat->log = log;
    heartbeat->socket = -1;
    clock_condition(&heartbeat->wake);
    pthread_mutex_init(&heartbeat->mutex, NULL);
    if (pthread_create(&heartbeat->thread, NULL, run, heartbeat) != 0) {
        heartbeat_free(heartbeat);
        return error_set(error, ERROR_SYSTEM, "cannot start the heartbeat's thread");
    }
    *out = heartbeat;
    return 0;
}

Beat heartbeat_last(Heartbeat *heartbeat)
{
    pthread_mutex_lock(&heartbeat->mutex);
    Beat last = heartbeat->last;
    pthread_mutex_unlock(&heartbeat->mutex);
    return last;
}

void heartbeat_stop(Heartbeat *heartbeat)
{
    if (heartbeat == NULL) {
        return;
    }
    pthread_mutex_lock(&heartbeat->mutex);
    heartbeat->stopping = true;
    pthread_cond_signal(&heartbeat->wake);
    if (heartbeat->socket >= 0) {
        shutdown(heartbeat->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&heartbeat->mutex);
    pthread_join(heartbeat->thread, NULL);
    heartbeat_free(heartbeat);
}
