/*
 * libpq hands out a row at a time and would send one at a time; rows are gathered into chunks, because the
 * messages of a COPY need not end where rows do. The target's connection does not block, and no chunk is
 * begun before the last one has left: that is the back-pressure, and what bounds memory. A row that is longer than a chunk goes in
 * several: what has not left libpq moves to the front of its buffer whenever a little has (pqSendSome), which for a row of half a
 * gigabyte in one piece takes minutes.
 *
 * A target that refuses a row says so at once, and throws away what comes after it, to the last row; libpq shows its answer
 * only when the COPY has ended (pqParseInput3, PGASYNC_COPY_IN). While rows are sent it has nothing else to say: notices are off,
 * and settings are reported between statements. So whatever can be read from it is a refusal, and the COPY is ended there.
 * libpq itself may have read it, while it waited for room to send (pqSendSome): then somebody else has to see it, at the server
 * (RelayWatch).
 *
 * Where rows go in pieces, the COPY of the target is ended and begun anew between two rows, with the header and the trailer of the
 * format, which the source sends once; the source waits meanwhile.
 */
#include "relay.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "text.h"

#define CHUNK ((size_t)256 * 1024)

typedef struct Relay {
    Database *source, *target;
    const Oids *oids;
    bool first; /* nothing has come yet */
    const SessionWait *wait;
    const RelayRoute *route;
    int number; /* of this COPY, as the watch knows it */
    Text chunk;
    int64_t bytes;
    int64_t piece_from; /* what of bytes went before this piece */
    int64_t rows;       /* in pieces that are done */
    int64_t unsaid;     /* rows that route->rows was not raised by yet */
    double last_progress;
} Relay;

static bool is_refused(const Relay *relay)
{
    struct pollfd fd = {.fd = PQsocket(database_connection(relay->target)), .events = POLLIN};
    const RelayWatch *watch = relay->route->watch;
    return poll(&fd, 1, 0) > 0 || (watch != NULL && atomic_load(&watch->refused) == relay->number);
}

/* One turn of a wait: 1 when there was something, 0 when not yet, -1 when it should end. */
static int wait_turn(Relay *relay, Database *database, bool for_writing, Error *error)
{
    int ready = session_poll(database, for_writing, relay->wait, error);
    if (ready > 0) {
        relay->last_progress = clock_seconds();
    } else if (ready == 0 && clock_seconds() - relay->last_progress >= relay->wait->limit_seconds) {
        return error_set(error, ERROR_LIMIT, "%s: the %s has not moved for %d s", relay->wait->what,
                         for_writing ? "target" : "source", relay->wait->limit_seconds);
    }
    return ready;
}

static int flush_target(Relay *relay, bool ending, Error *error);

/* The COPY is ended, and fills error with the target's answer. */
static int refuse(Relay *relay, Error *error)
{
    PGresult *result = NULL;
    if (PQputCopyEnd(database_connection(relay->target), "the target has refused a row") != 1) {
        return database_error(relay->target, NULL, error);
    }
    if (flush_target(relay, true, error) != 0 ||
        session_finish(relay->target, relay->wait, &result, error) != 0) {
        return -1;
    }
    PQclear(result);
    return error_set(error, ERROR_TARGET, "the target ended the COPY without saying why");
}

/* Waits until everything handed to libpq has left. */
static int flush_target(Relay *relay, bool ending, Error *error)
{
    PGconn *connection = database_connection(relay->target);
    int left;
    while ((left = PQflush(connection)) > 0) {
        int ready = wait_turn(relay, relay->target, true, error);
        if (ready < 0) {
            return -1;
        }
        if (!ending && is_refused(relay)) {
            return refuse(relay, error);
        }
        if (ready > 0 && PQconsumeInput(connection) == 0) {
            return database_error(relay->target, NULL, error);
        }
    }
    return left == 0 ? 0 : database_error(relay->target, NULL, error);
}

/* What the throttle says about bytes that have just gone. */
static int slow_down(Relay *relay, int64_t bytes, Error *error)
{
    int ms = 0;
    while (relay->route->brake != NULL && (ms = brake_spend(relay->route->brake, bytes)) > 0) {
        if (session_stopped(relay->wait, error) != 0) {
            return -1;
        }
        bytes = 0;
        clock_pause_ms(ms);
        relay->last_progress = clock_seconds();
    }
    return 0;
}

/* A chunk, and waits until it has left. */
static int put(Relay *relay, const char *data, size_t size, Error *error)
{
    if (PQputCopyData(database_connection(relay->target), data, (int)size) != 1) {
        return database_error(relay->target, NULL, error);
    }
    atomic_fetch_add(relay->route->moving, (int64_t)size);
    relay->bytes += (int64_t)size;
    if (relay->route->rows != NULL) {
        atomic_fetch_add(relay->route->rows, relay->unsaid);
        relay->unsaid = 0;
    }
    return flush_target(relay, false, error) == 0 ? slow_down(relay, (int64_t)size, error) : -1;
}

static int put_all(Relay *relay, const char *data, size_t size, Error *error)
{
    int status = is_refused(relay) ? refuse(relay, error) : 0;
    while (size > 0 && status == 0) {
        size_t now = size < CHUNK ? size : CHUNK;
        status = put(relay, data, now, error);
        data += now;
        size -= now;
    }
    return status;
}

static int put_chunk(Relay *relay, Error *error)
{
    int status = put_all(relay, relay->chunk.data, relay->chunk.size, error);
    relay->chunk.size = 0;
    return status;
}

static int take_row(Relay *relay, const char *row, size_t size, Error *error)
{
    if (relay->chunk.size + size > CHUNK && put_chunk(relay, error) != 0) {
        return -1;
    }
    if (size > CHUNK) {
        return put_all(relay, row, size, error);
    }
    text_append_bytes(&relay->chunk, row, size);
    return 0;
}

/* The rows that a finished COPY says it moved. */
static int finish(const Relay *relay, Database *database, int64_t *rows, Error *error)
{
    PGresult *result = NULL;
    if ((relay->route->more ? session_next : session_finish)(database, relay->wait, &result, error) != 0) {
        return -1;
    }
    *rows = result != NULL ? strtoll(PQcmdTuples(result), NULL, 10) : -1;
    PQclear(result);
    return 0;
}

/* Ends the COPY of the target, which has taken *rows. */
static int end_target(Relay *relay, int64_t *rows, Error *error)
{
    if (PQputCopyEnd(database_connection(relay->target), NULL) != 1) {
        return database_error(relay->target, NULL, error);
    }
    return flush_target(relay, true, error) == 0 ? finish(relay, relay->target, rows, error) : -1;
}

static int run_on_target(Relay *relay, const char *sql, int64_t *rows, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(relay->target, sql, relay->wait, &result, error);
    if (status == 0 && rows != NULL) {
        *rows = strtoll(PQcmdTuples(result), NULL, 10);
    }
    PQclear(result);
    relay->last_progress = clock_seconds();
    return status;
}

/* A piece of that many rows has been taken: to its place. */
static int move_piece(Relay *relay, int64_t taken, Error *error)
{
    int64_t moved = 0;
    if (run_on_target(relay, relay->route->pieces->move, &moved, error) != 0) {
        return -1;
    }
    if (moved != taken) {
        return error_set(error, ERROR_TARGET, "of %lld rows %lld came to their place", (long long)taken,
                         (long long)moved);
    }
    relay->rows += moved;
    return 0;
}

static int next_piece(Relay *relay, Error *error)
{
    static const char trailer[] = {'\377', '\377'};
    static const char header[19] = "PGCOPY\n\377\r\n";
    const RelayPieces *pieces = relay->route->pieces;
    RelayWatch *watch = relay->route->watch;
    int64_t rows = 0;
    text_append_bytes(&relay->chunk, trailer, sizeof trailer);
    if (put_chunk(relay, error) != 0 || end_target(relay, &rows, error) != 0 ||
        move_piece(relay, rows, error) != 0 || run_on_target(relay, pieces->empty, NULL, error) != 0) {
        return -1;
    }
    if (watch != NULL) {
        relay->number = atomic_fetch_add(&watch->number, 1) + 1;
    }
    text_append_bytes(&relay->chunk, header, sizeof header);
    relay->piece_from = relay->bytes;
    return run_on_target(relay, pieces->begin, NULL, error);
}

/* Behind a row. */
static int piece_turn(Relay *relay, Error *error)
{
    const RelayPieces *pieces = relay->route->pieces;
    return pieces != NULL && relay->bytes - relay->piece_from + (int64_t)relay->chunk.size >= pieces->bytes
               ? next_piece(relay, error)
               : 0;
}

/* Moves rows until the source has no more. */
static int move_rows(Relay *relay, Error *error)
{
    PGconn *connection = database_connection(relay->source);
    for (;;) {
        char *row = NULL;
        int size = PQgetCopyData(connection, &row, 1);
        if (size > 0) {
            int status =
                relay->oids != NULL ? oids_row(relay->oids, row, (size_t)size, relay->first, error) : 0;
            relay->first = false;
            relay->unsaid++;
            if (status == 0) {
                status = take_row(relay, row, (size_t)size, error);
            }
            PQfreemem(row);
            if (status != 0 || piece_turn(relay, error) != 0) {
                return -1;
            }
        } else if (size == 0) {
            int ready = wait_turn(relay, relay->source, false, error);
            if (ready < 0) {
                return -1;
            }
            if (ready > 0 && PQconsumeInput(connection) == 0) {
                return database_error(relay->source, NULL, error);
            }
            if (ready == 0 && put_chunk(relay, error) != 0) {
                return -1;
            }
        } else {
            return size == -1 ? put_chunk(relay, error) : database_error(relay->source, NULL, error);
        }
    }
}

static int end_both(Relay *relay, RelayCount *out, Error *error)
{
    int64_t sent = 0, taken = 0;
    if (finish(relay, relay->source, &sent, error) != 0 || end_target(relay, &taken, error) != 0) {
        return -1;
    }
    if (relay->route->pieces == NULL) {
        relay->rows = taken;
    } else if (move_piece(relay, taken, error) != 0) {
        return -1;
    }
    *out = (RelayCount){.rows = relay->rows, .bytes = relay->bytes};
    if (sent != out->rows) {
        return error_set(error, ERROR_TARGET, "the source sent %lld rows, the target took %lld",
                         (long long)sent, (long long)out->rows);
    }
    return 0;
}

int relay_rows(Database *source, Database *target, const RelayRoute *route, RelayCount *out, Error *error)
{
    Relay relay = {.source = source,
                   .target = target,
                   .wait = route->wait,
                   .route = route,
                   .number = route->watch != NULL ? atomic_load(&route->watch->number) : 0,
                   .oids = route->oids,
                   .first = true,
                   .last_progress = clock_seconds()};
    PQsetnonblocking(database_connection(target), 1);
    int status = move_rows(&relay, error) == 0 ? end_both(&relay, out, error) : -1;
    PQsetnonblocking(database_connection(target), 0);
    text_free(&relay.chunk);
    return status;
}
