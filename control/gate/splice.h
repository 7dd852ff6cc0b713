/*
 * What goes on in the gate's process: accepted connections, each waiting or joined with one to the server.
 * Private to this folder.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <uv.h>

#include "guard.h"

typedef enum GateMode { GATE_HOLD, GATE_OPEN, GATE_ENDING } GateMode;

/* What outlives each process of the gate: it is in memory that they share. */
typedef struct GateOrders {
    GateMode mode;
    int keeper; /* pid */
    bool over;  /* it has ended by itself */
    struct sockaddr_storage server;
    Guard guard; /* of a hold */
} GateOrders;

typedef struct Pair Pair;

typedef struct Gate {
    uv_loop_t loop;
    uv_tcp_t listener;
    uv_pipe_t control;
    uv_timer_t timer;
    GateOrders *orders;
    FILE *log;
    Pair *pairs;
    int waiting;
    int led;
    uint64_t
        unserved_at; /* when a connection last ended without having been served, ms of the loop; 0: none has */
    int most;        /* connections, by the descriptors that the process may have */
    bool accept_later; /* as many as may be: the next is left to the kernel */
} Gate;

/* Begins to accept on the listener's descriptor. 0, or libuv's error. */
int splice_listen(Gate *gate, int fd);

/* How many connections a gate can take with that many descriptors: each needs two once it is led. */
int splice_most(unsigned long long descriptors);

/* Leads every waiting connection to the server of the orders. */
void splice_open(Gate *gate);

/*
 * Closes led connections that nobody uses any more: idle sessions, quiet for 5 seconds, and those that cannot be looked
 * into (TLS), quiet for an hour. Never one with a query under way or an open transaction. For a gate that is ending: the
 * proxy has other servers by then, and only a pool that it has given up can still hold these.
 */
void splice_end_unused(Gate *gate);

/*
 * Whether somebody may still wait for a connection through this gate: a login through it has failed within the last minute, the
 * server being on its way down or up. The proxy's pool then tries again, at longer and longer intervals, while its clients wait.
 */
bool splice_is_awaited(Gate *gate);

/* A line in the gate's log; status is libuv's, 0 for none. */
void gate_log(Gate *gate, const char *what, int status);
