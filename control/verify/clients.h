/*
 * Whether clients are at work on the server that they write to: beside them a comparison steps back, and alone it does not.
 *
 *     clients_begin ──► clients_look, each second on the same thread ──► clients_are_busy, on any
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "database.h"

typedef struct Clients {
    double looked_at, seen_at; /* clock_seconds; 0: never */
    char at[40];               /* the same by the server's clock, as text for it */
    int64_t next_xid;
    atomic_bool busy;
} Clients; /* zeroed to begin with */

/* Looks twice, a moment apart: from then on it is known. */
int clients_begin(Clients *clients, Database *server, Error *error) MUST_CHECK;
int clients_look(Clients *clients, Database *server, Error *error) MUST_CHECK;

bool clients_are_busy(Clients *clients);
