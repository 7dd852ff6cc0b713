/*
 * What the files of the pgcat adapter are about: adapter.c has the operations, and each of the others says in its own
 * header what it does. Private to this folder.
 *
 *     text of the file:  servers, plan, settings, wish        the running pgcat:  held, shown, inspect, set, adapter
 */
#pragma once

#include "block.h"
#include "console.h"
#include "file_turns.h"
#include "proxy.h"

struct Proxy {
    Console console;
    char *uri;
    char *config;
    char *database;              /* of the source */
    char *pool;                  /* only this one; NULL: every one that serves the database */
    char *state;                 /* FILE.penstock-gate */
    char *gate_log;              /* FILE.penstock-gate.log */
    char *whose;                 /* of which migration, and which clients of it, a state is */
    BlockKey rehearsal, lookout; /* whose pools in the file are this migration's */
    FileTurn *turn;              /* with the file; NULL: it has none now */
};
