/*
 * In version 3 of the protocol each message is a type and a length, except for the first of a client, which has no type.
 * Query, Sync and FunctionCall, and that first one, are each answered by one ReadyForQuery; counting those tells when
 * nothing is left to answer, however much a client sends ahead.
 */
#include "watch.h"

#include <string.h>

#define CODE_SSL 80877103
#define CODE_GSS 80877104
#define MAJOR 3
#define HEAD 5

static uint32_t number(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Takes bytes until the head holds wanted of them; true when it does. */
static bool fill(WatchFlow *flow, size_t wanted, const char **data, size_t *size)
{
    size_t take = wanted - flow->have < *size ? wanted - flow->have : *size;
    memcpy(flow->head + flow->have, *data, take);
    flow->have += take;
    *data += take;
    *size -= take;
    return flow->have == wanted;
}

static void skip(WatchFlow *flow, const char **data, size_t *size)
{
    size_t take = flow->left < *size ? flow->left : *size;
    flow->left -= take;
    *data += take;
    *size -= take;
}

/* The message's length counts itself. False when it is none. */
static bool begin_body(Watch *watch, WatchFlow *flow, uint32_t length, size_t seen)
{
    flow->have = 0;
    if (length < seen) {
        watch->state = WATCH_OPAQUE;
        return false;
    }
    flow->left = length - seen;
    return true;
}

static void take_first(Watch *watch)
{
    uint32_t length = number(watch->client.head), code = number(watch->client.head + 4);
    if (!begin_body(watch, &watch->client, length, 8)) {
        return;
    }
    if (code == CODE_SSL || code == CODE_GSS) {
        watch->state = WATCH_ASKED;
    } else if (code >> 16 != MAJOR) { /* a cancel request, or none of the protocol's */
        watch->state = WATCH_OPAQUE;
    } else {
        watch->state = WATCH_SESSION;
        watch->unanswered = 1;
    }
}

void watch_client(Watch *watch, const char *data, size_t size)
{
    WatchFlow *flow = &watch->client;
    while (size > 0 && watch->state != WATCH_OPAQUE) {
        if (flow->left > 0) {
            skip(flow, &data, &size);
        } else if (watch->state == WATCH_ASKED) {
            watch->state = WATCH_OPAQUE; /* it did not wait for the answer */
        } else if (watch->state == WATCH_START) {
            if (fill(flow, 8, &data, &size)) {
                take_first(watch);
            }
        } else if (fill(flow, HEAD, &data, &size)) {
            watch->unanswered += strchr("QSF", flow->head[0]) != NULL;
            begin_body(watch, flow, number(flow->head + 1), 4);
        }
    }
}

/* ReadyForQuery has one byte behind its length: what the transaction is like. */
static void take_ready(Watch *watch, const char **data, size_t *size)
{
    WatchFlow *flow = &watch->server;
    if (fill(flow, HEAD + 1, data, size)) {
        watch->transaction = (char)flow->head[HEAD];
        watch->unanswered--;
        begin_body(watch, flow, number(flow->head + 1), 5);
    }
}

void watch_server(Watch *watch, const char *data, size_t size)
{
    WatchFlow *flow = &watch->server;
    while (size > 0 && watch->state != WATCH_OPAQUE) {
        if (watch->state == WATCH_ASKED) {
            watch->state = *data == 'N' ? WATCH_START : WATCH_OPAQUE;
            data++;
            size--;
        } else if (flow->left > 0) {
            skip(flow, &data, &size);
        } else if (flow->have > 0 && flow->head[0] == 'Z') {
            take_ready(watch, &data, &size);
        } else if (fill(flow, HEAD, &data, &size) && flow->head[0] != 'Z') {
            begin_body(watch, flow, number(flow->head + 1), 4);
        }
    }
}

bool watch_is_idle(const Watch *watch)
{
    return watch->state == WATCH_SESSION && watch->unanswered == 0 && watch->transaction == 'I' &&
           watch->client.have == 0 && watch->client.left == 0;
}

bool watch_is_unserved(const Watch *watch)
{
    return watch->state == WATCH_SESSION && watch->transaction == '\0';
}
