/*
 * What the files of the pgcat adapter are about: adapter.c has the operations, and each of the others says in its own
 * header what it does. Private to this folder.
 *
 *     text of the file:  servers, plan, settings, wish        the running pgcat:  held, shown, inspect, set, adapter
 */
#pragma once

#include "console.h"
#include "proxy.h"

struct Proxy {
    Console console;
    char *uri;
    char *config;
    char *database; /* of the source */
    char *pool;     /* only this one; NULL: every one that serves the database */
    char *state;    /* FILE.penstock-gate */
    char *gate_log; /* FILE.penstock-gate.log */
};
