/*
 * The back edge: which batches are out, and how far the stream is durable on the target. Pure bookkeeping, one thread.
 */
#pragma once

#include <stdbool.h>

#include "batch.h"

typedef struct Progress Progress;

/* What is at or below the low-water mark. */
typedef struct ProgressTotals {
    Lsn low_water;
    uint64_t transactions;
    int64_t commit_time;    /* of the newest transaction, microseconds since 2000-01-01; 0 for none */
    int64_t heartbeat_time; /* the newest at which the source's WAL ended here; 0 for none */
} ProgressTotals;

/* start: everything that ends at or before it is durable already. */
Progress *progress_new(Lsn start);
void progress_free(Progress *progress);

/* The batch has been taken from the scheduler; its floor holds the low-water mark until it is done. */
void progress_begin(Progress *progress, const Batch *batch);
void progress_done(Progress *progress, const Batch *batch);

/* Batches that are out. */
size_t progress_outstanding(const Progress *progress);

/* A transaction that ends at end_lsn has been scheduled, all of it. */
void progress_commit(Progress *progress, Lsn end_lsn, int64_t commit_time);

/* The source's WAL ended at wal_end at that time, by its own clock. */
void progress_heartbeat(Progress *progress, Lsn wal_end, int64_t time);

/* Moves the low-water mark as far as the batches that are out and scheduler_floor allow; true when it moved. */
bool progress_advance(Progress *progress, Lsn scheduler_floor);

const ProgressTotals *progress_totals(const Progress *progress);
