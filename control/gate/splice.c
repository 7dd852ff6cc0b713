/*
 * A connection that waits is not read: what its client has sent stays in the kernel. Once it is led, each
 * direction has one buffer, and is read only when that has been written, so nothing piles up here.
 *
 * A server that does not answer at once is tried again for a while: the client has waited, and an error now
 * would be the one that the gate is there to avoid. The number of pairs is bounded; beyond it connections
 * stay in the kernel's queue until one ends.
 */
#include "splice.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "watch.h"

#define MAX_PAIRS 32768
#define OTHER_DESCRIPTORS 64
#define BUFFER_SIZE 16384
#define TRY_AGAIN_MS 100
#define TRIES 100
#define IDLE_MS 5000
#define OPAQUE_MS (60 * 60 * 1000)
#define AWAITED_MS 60000

/* One end of a pair, and what was read from it and is on its way to the other. */
typedef struct Side {
    uv_tcp_t tcp;
    uv_write_t write;
    struct Side *other;
    Pair *pair;
    char buffer[BUFFER_SIZE];
} Side;

struct Pair {
    Side client;
    Side server;
    uv_connect_t connect;
    uv_timer_t again;
    Gate *gate;
    Pair *next, *previous;
    Watch watch;
    uint64_t moved; /* when bytes last went either way, ms */
    int tries;
    int open_handles;
    bool server_made;
    bool led;
    bool closing;
};

int splice_most(unsigned long long descriptors)
{
    unsigned long long pairs = descriptors > OTHER_DESCRIPTORS ? (descriptors - OTHER_DESCRIPTORS) / 2 : 1;
    return pairs < MAX_PAIRS ? (int)pairs : MAX_PAIRS;
}

void gate_log(Gate *gate, const char *what, int status)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    fprintf(gate->log, "%s gate: %s%s%s\n", when, what, status != 0 ? ": " : "",
            status != 0 ? uv_strerror(status) : "");
    fflush(gate->log);
}

static void accept_one(Gate *gate);
static void lead(Pair *pair);

static void on_closed(uv_handle_t *handle)
{
    Pair *pair = handle->data;
    Gate *gate = pair->gate;
    if (--pair->open_handles > 0) {
        return;
    }
    *(pair->led ? &gate->led : &gate->waiting) -= 1;
    if (pair->previous != NULL) {
        pair->previous->next = pair->next;
    } else {
        gate->pairs = pair->next;
    }
    if (pair->next != NULL) {
        pair->next->previous = pair->previous;
    }
    free(pair);
    if (gate->accept_later) {
        gate->accept_later = false;
        accept_one(gate);
    }
}

static void close_pair(Pair *pair)
{
    if (pair->closing) {
        return;
    }
    pair->closing = true;
    if (pair->led && watch_is_unserved(&pair->watch)) {
        pair->gate->unserved_at = uv_now(&pair->gate->loop);
    }
    uv_close((uv_handle_t *)&pair->client.tcp, on_closed);
    uv_close((uv_handle_t *)&pair->again, on_closed);
    if (pair->server_made) {
        uv_close((uv_handle_t *)&pair->server.tcp, on_closed);
    }
}

/* --- joined --- */

static void on_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    (void)wanted;
    Side *side = (Side *)handle;
    *out = uv_buf_init(side->buffer, sizeof side->buffer);
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer);

static void on_written(uv_write_t *request, int status)
{
    Side *from = request->data;
    if (from->pair->closing) {
        return;
    }
    if (status < 0 || uv_read_start((uv_stream_t *)&from->tcp, on_buffer, on_read) != 0) {
        close_pair(from->pair);
    }
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    Side *from = (Side *)stream;
    if (got == 0) {
        return;
    }
    uv_read_stop(stream);
    if (got > 0) {
        (from == &from->pair->client ? watch_client : watch_server)(&from->pair->watch, buffer->base,
                                                                    (size_t)got);
        from->pair->moved = uv_now(&from->pair->gate->loop);
    }
    uv_buf_t data = uv_buf_init(buffer->base, got > 0 ? (unsigned)got : 0);
    from->write.data = from;
    if (got < 0 || uv_write(&from->write, (uv_stream_t *)&from->other->tcp, &data, 1, on_written) != 0) {
        close_pair(from->pair);
    }
}

/* --- on the way to the server --- */

static void on_again(uv_timer_t *timer)
{
    lead(timer->data);
}

static void on_server_closed(uv_handle_t *handle)
{
    Pair *pair = handle->data;
    pair->server_made = false;
    if (pair->closing) {
        on_closed(handle);
        return;
    }
    pair->open_handles--;
    uv_timer_start(&pair->again, on_again, TRY_AGAIN_MS, 0);
}

static void try_again(Pair *pair, int status)
{
    if (++pair->tries > TRIES) {
        gate_log(pair->gate, "cannot reach the server", status);
        pair->gate->unserved_at = uv_now(&pair->gate->loop);
        close_pair(pair);
    } else if (pair->server_made) {
        pair->server_made = false;
        uv_close((uv_handle_t *)&pair->server.tcp, on_server_closed);
    } else {
        uv_timer_start(&pair->again, on_again, TRY_AGAIN_MS, 0);
    }
}

static void on_connected(uv_connect_t *request, int status)
{
    Pair *pair = request->data;
    if (pair->closing) {
        return;
    }
    if (status < 0) {
        try_again(pair, status);
        return;
    }
    uv_tcp_nodelay(&pair->client.tcp, 1);
    uv_tcp_nodelay(&pair->server.tcp, 1);
    if (uv_read_start((uv_stream_t *)&pair->client.tcp, on_buffer, on_read) != 0 ||
        uv_read_start((uv_stream_t *)&pair->server.tcp, on_buffer, on_read) != 0) {
        close_pair(pair);
    }
}

static void lead(Pair *pair)
{
    Gate *gate = pair->gate;
    if (!pair->led) {
        pair->led = true;
        gate->waiting--;
        gate->led++;
    }
    int status = uv_tcp_init(&gate->loop, &pair->server.tcp);
    if (status == 0) {
        pair->server_made = true;
        pair->open_handles++;
        pair->server.tcp.data = pair;
        pair->connect.data = pair;
        status = uv_tcp_connect(&pair->connect, &pair->server.tcp,
                                (const struct sockaddr *)&gate->orders->server, on_connected);
    }
    if (status != 0) {
        try_again(pair, status);
    }
}

void splice_open(Gate *gate)
{
    for (Pair *pair = gate->pairs; pair != NULL; pair = pair->next) {
        if (!pair->led && !pair->closing) {
            lead(pair);
        }
    }
}

void splice_end_unused(Gate *gate)
{
    for (Pair *pair = gate->pairs; pair != NULL; pair = pair->next) {
        uint64_t quiet = uv_now(&gate->loop) - pair->moved;
        bool opaque = pair->watch.state == WATCH_OPAQUE;
        if (pair->led &&
            ((watch_is_idle(&pair->watch) && quiet > IDLE_MS) || (opaque && quiet > OPAQUE_MS))) {
            close_pair(pair);
        }
    }
}

bool splice_is_awaited(Gate *gate)
{
    return gate->unserved_at != 0 && uv_now(&gate->loop) - gate->unserved_at < AWAITED_MS;
}

/* --- accepting --- */

static Pair *make_pair(Gate *gate)
{
    Pair *pair = calloc(1, sizeof *pair);
    pair->gate = gate;
    pair->moved = uv_now(&gate->loop);
    pair->client.pair = pair->server.pair = pair;
    pair->client.other = &pair->server;
    pair->server.other = &pair->client;
    uv_tcp_init(&gate->loop, &pair->client.tcp);
    uv_timer_init(&gate->loop, &pair->again);
    pair->client.tcp.data = pair->again.data = pair;
    pair->open_handles = 2;
    pair->next = gate->pairs;
    if (gate->pairs != NULL) {
        gate->pairs->previous = pair;
    }
    gate->pairs = pair;
    gate->waiting++;
    return pair;
}

static void accept_one(Gate *gate)
{
    Pair *pair = make_pair(gate);
    int status = uv_accept((uv_stream_t *)&gate->listener, (uv_stream_t *)&pair->client.tcp);
    if (status != 0) {
        gate_log(gate, "cannot accept a connection", status);
        close_pair(pair);
    } else if (gate->orders->mode != GATE_HOLD) {
        lead(pair);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    Gate *gate = listener->data;
    if (status < 0) {
        gate_log(gate, "cannot accept a connection", status);
    } else if (gate->waiting + gate->led >= gate->most) {
        gate->accept_later = true;
        gate_log(gate, "too many connections: the next have to wait", 0);
    } else {
        accept_one(gate);
    }
}

int splice_listen(Gate *gate, int fd)
{
    uv_tcp_init(&gate->loop, &gate->listener);
    gate->listener.data = gate;
    int status = uv_tcp_open(&gate->listener, fd);
    return status != 0 ? status : uv_listen((uv_stream_t *)&gate->listener, 1024, on_connection);
}
