/*
 * The applier's voice on the target: a thread with a connection of its own that holds the migration's "applier" lock
 * and writes penstock.applier, at most five times a second when something changed and at least every five seconds.
 *
 * The lock lives and dies with that connection. When it is lost reporter_failed says so, and whoever runs the pipeline
 * must stop it: someone else may be the applier now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "lsn.h"

typedef struct Reporter Reporter;

typedef struct ReporterView {
    const char *state; /* a literal: starting, streaming, waiting, stopped, failed */
    Lsn received_lsn;
    Lsn low_water_lsn;
    int64_t last_commit_time;
    uint64_t transactions;
    uint64_t changes;
    char statistics[1024]; /* a JSON object, or "" */
    Error error;           /* code ERROR_NONE for none */
} ReporterView;

/*
 * Connects, takes the lock (ERROR_STATE naming the holder when someone has it) and starts the thread. The caller ends
 * it with reporter_stop.
 */
int reporter_start(const char *target, const char *migration, int workers, Reporter **out,
                   Error *error) MUST_CHECK;

/* Replaces what is to be written. Any thread. */
void reporter_publish(Reporter *reporter, const ReporterView *view);

/* True, with the reason, when the connection and so the lock are lost. Any thread. */
bool reporter_failed(Reporter *reporter, Error *error);

/* Writes what was published last, ends the thread, gives back the lock and frees. */
void reporter_stop(Reporter *reporter);
