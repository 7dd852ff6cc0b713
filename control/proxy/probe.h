/*
 * Looks through a proxy as an application would: who answers there, and may it write?
 */
#pragma once

#include <stdbool.h>

#include "error.h"

typedef struct ProbeAnswer {
    char system_identifier[32];
    int version;   /* server_version_num */
    bool writable; /* not read-only, not in recovery, and its transaction got an identifier */
} ProbeAnswer;

/*
 * Connects with the connection string uri, asks, and rolls back all it did. insists: in a transaction that says READ WRITE, as in
 * a database that is read-only by default until clients are let in. ERROR_LIMIT when no answer came within limit_ms. Errors name
 * no password.
 */
int probe(const char *uri, bool insists, int limit_ms, ProbeAnswer *out, Error *error) MUST_CHECK;
