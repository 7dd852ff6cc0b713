/*
 * A source without a server: it answers what receiver_open asks, as it is told here, and then leaves its end of the
 * connection to the test, which writes the stream and reads the status updates by itself.
 */
#pragma once

#include "local_server.h"
#include "receiver.h"

typedef struct StandIn {
    const char *system;
    const char *database;
    const char *timeline;
    const char *end;     /* of its WAL */
    const char *history; /* of that timeline */
    const char *plugin;  /* of the slot; NULL: there is no slot */
    const char *confirmed;
    int active;         /* how many times the slot is said to be in use, by process 4711 */
    char command[1024]; /* START_REPLICATION, as it came */

    LocalServer local;
    int connection;
} StandIn;

/* Listens; *uri leads to it. */
void stand_in_start(StandIn *stand_in, char uri[128]);
void stand_in_stop(StandIn *stand_in);

/* receiver_open against it: 0 with the stream open, or -1. */
int stand_in_open(StandIn *stand_in, const ReceiverOptions *options, Receiver **out, Error *error);

/* One CopyData message, or as much of it as is asked for. */
void stand_in_send(StandIn *stand_in, const void *data, size_t size);
void stand_in_send_part(StandIn *stand_in, const void *data, size_t size, size_t from, size_t to);
/* Any message of the protocol. */
void stand_in_say(StandIn *stand_in, char type, const void *data, size_t size);
/* The next CopyData message that the receiver sent; returns its size. */
size_t stand_in_read(StandIn *stand_in, void *data, size_t size);
