/*
 * A worker: one thread with one connection to the target that applies batches in the order they are
 * submitted, each in a target transaction that also moves the batch's lanes. See worker.c for how a batch
 * becomes statements.
 *
 * A worker retries deadlocks and serialization failures of a batch itself. Every other error ends it: it
 * reports the batch with the error and takes no more work. Connection losses too: the pipeline starts anew
 * from the lanes' durable positions, which is the same road as after a crash.
 */
#pragma once

#include "batch.h"
#include "error.h"
#include "log.h"
#include "policy.h"

typedef struct Worker Worker;

typedef struct WorkerOptions {
    int index;
    const char *target; /* connection string */
    const char *migration;
    int64_t epoch;        /* that this run took the lanes over with */
    const char *encoding; /* of the source database: becomes client_encoding */
    const Policies *policies;
    size_t copy_rows;      /* so many inserts of one table in a batch go by COPY */
    size_t session_tables; /* a connection that has written to so many tables is made anew … */
    size_t session_memory; /* … and one whose process on the target has taken so many bytes */
    const Log *log;
} WorkerOptions;

/*
 * Called on the worker's thread when a batch is done: durable, or failed with error (error->code set).
 * Ownership of the batch goes to the callee, which must return at once.
 */
typedef void (*BatchDone)(void *context, Batch *batch, const Error *error);

/* Connects, prepares the session and starts the thread. The caller ends it with worker_stop. */
int worker_start(const WorkerOptions *options, BatchDone done, void *context, Worker **out,
                 Error *error) MUST_CHECK;

/* Hands over a batch. Any thread. */
void worker_submit(Worker *worker, Batch *batch);

/* Asks the worker to end after the batch under way; returns at once. */
void worker_ask_stop(Worker *worker);

/*
 * Ends the worker and frees it: the batch under way is finished or, two seconds after it was asked to end, its connection cut,
 * which rolls it back; batches not begun are freed. Returns when the thread has ended.
 */
void worker_stop(Worker *worker);
