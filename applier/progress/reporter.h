/*
 * The applier's voice on the target: a thread with a connection of its own that holds the migration's "applier" lock
 * and writes penstock.applier, at most five times a second when something changed (at once when somebody waits for it) and at
 * least every five seconds; and, whenever it is given counts, what was applied by lane and by table. While batches are under way it looks for locks that
 * workers wait for; who has them goes into the report and into the log.
 *
 * What it wrote is durable: the low-water mark is confirmed to the source only as far as it was reported, so that the next
 * applier can tell a slot that someone else moved.
 *
 * The lock lives and dies with that connection. When it is lost reporter_failed says so, and whoever runs the pipeline
 * must stop it: someone else may be the applier now.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "log.h"
#include "lsn.h"
#include "counts.h"

typedef struct Reporter Reporter;

typedef struct ReporterOptions {
    const char *target;
    const char *migration;
    int workers;
    bool begins;   /* this applier has not had the lock yet: it is waited for, a moment, if somebody has it */
    int timeout_s; /* a report that takes longer means that the target is lost; 0: never */
    const Log *log;
} ReporterOptions;

typedef struct ReporterView {
    const char *state; /* a literal: starting, streaming, waiting, stopped, failed */
    Lsn received_lsn;
    Lsn low_water_lsn;
    Lsn source_lsn;
    int64_t last_commit_time;
    int64_t heartbeat_time;
    uint64_t transactions;
    uint64_t changes;
    bool working;          /* batches are under way: look for locks that they wait for */
    char statistics[1024]; /* a JSON object, or "" */
    char rates[512];       /* the same */
    Error error;           /* code ERROR_NONE for none */
} ReporterView;

/*
 * Connects, takes the lock (ERROR_STATE naming the holder when someone has it) and starts the thread. The caller ends
 * it with reporter_stop.
 */
int reporter_start(const ReporterOptions *options, Reporter **out, Error *error) MUST_CHECK;

/* The process on the target that has the lock. */
int reporter_session(const Reporter *reporter);

typedef enum Urgency { REPORT_SOON, REPORT_NOW } Urgency;

/* Replaces what is to be written; padding of *view is zero, so that one that says the same is known. Any thread. */
void reporter_publish(Reporter *reporter, const ReporterView *view, Urgency urgency);

/* True when counts may be given: the ones before are written. Any thread. */
bool reporter_takes_counts(Reporter *reporter);

/* Takes over what *counts has, beside what is not written yet, and empties it. Any thread. */
void reporter_give_counts(Reporter *reporter, CountsReport *counts);

/* The low-water mark of the newest report that is durable. Any thread. */
Lsn reporter_written(Reporter *reporter);

/* Waits until what was published last is written, or for so long. */
void reporter_flush(Reporter *reporter, int milliseconds);

/* True, with the reason, when the connection and so the lock are lost, or the target does not answer. Any thread. */
bool reporter_failed(Reporter *reporter, Error *error);

/* Writes what was published last if the target takes it within two seconds, ends the thread, gives back the lock, frees. */
void reporter_stop(Reporter *reporter);
