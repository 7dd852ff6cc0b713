/*
 * A statement that may wait for others: who they are is told while it waits.
 */
#pragma once

#include "database.h"
#include "error.h"

typedef struct WatchedWait {
    Database *looker; /* a second connection to the same server */
    int limit_ms;
    void (*tell)(void *context, const char *who); /* each new answer to the question of who is in the way */
    void *context;
} WatchedWait;

/*
 * Runs sql, which has no parameters, for at most wait->limit_ms, or the Database's own limits. what is said in errors; who was in
 * the way at the end is their hint.
 */
int watched_run(Database *database, const char *sql, const char *what, const WatchedWait *wait,
                Error *error) MUST_CHECK;
