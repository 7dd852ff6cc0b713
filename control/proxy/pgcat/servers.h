/*
 * The value of `servers` in pgcat's file: [["host", port, "role"], …]. Pure functions from text to text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define PGCAT_SERVERS 16

typedef struct PgcatServer {
    char host[256];
    char port[8];
    char role[16]; /* primary or replica; in `mirrors`, the number of the server that is mirrored */
} PgcatServer;

/* The entries of a raw array of servers or mirrors, PGCAT_SERVERS at most. */
int pgcat_servers_read(const char *raw, PgcatServer out[PGCAT_SERVERS], size_t *count,
                       Error *error) MUST_CHECK;

/* The one server of such an array; ERROR_STATE when there are more, or none. */
int pgcat_servers_one(const char *raw, PgcatServer *out, Error *error) MUST_CHECK;

/*
 * The same array with these servers. Entries change where they stand, new ones come behind the last, and those that are
 * too many go, from the end; comments stay with the entry that they stand behind. The caller frees *out.
 */
int pgcat_servers_write(const char *raw, const PgcatServer *servers, size_t count, char **out,
                        Error *error) MUST_CHECK;

/* A new array of mirrors of the first server, on one line. The caller frees it. */
char *pgcat_mirrors(const PgcatServer *mirrors, size_t count);
