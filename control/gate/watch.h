/*
 * Tells from the bytes of a connection whether its session is idle: no query under way and no transaction open. Pure: fed
 * with what goes each way, in any pieces. Private to this folder.
 *
 * It never calls a session idle that is not. What it cannot follow (TLS, cancel requests) is opaque for good, and a
 * client that says more than it gets answers to is taken to be busy.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One direction: the head of the message under way, and how much of the rest is still to come. */
typedef struct WatchFlow {
    unsigned char head[8];
    size_t have;
    size_t left;
} WatchFlow;

typedef enum WatchState {
    WATCH_START,   /* the client has still to say what it wants */
    WATCH_ASKED,   /* it asked for encryption */
    WATCH_SESSION, /* messages of a session */
    WATCH_OPAQUE,
} WatchState;

typedef struct Watch {
    WatchState state;
    WatchFlow client, server;
    long long unanswered; /* what the client said that ends with ReadyForQuery, less those */
    char transaction;     /* of the last ReadyForQuery: I, T or E */
} Watch;

void watch_client(Watch *watch, const char *data, size_t size);
void watch_server(Watch *watch, const char *data, size_t size);
bool watch_is_idle(const Watch *watch);

/* A login that has not come to its end: the server has never said that it is ready. */
bool watch_is_unserved(const Watch *watch);
