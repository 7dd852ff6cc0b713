/*
 * The workers and what waits for them: hands batches over in an order that keeps barriers, and takes them back.
 *
 * Used by the event loop; only `wake` is called on other threads, whenever dispatcher_collect has something.
 */
#pragma once

#include "worker.h"

typedef struct Dispatcher Dispatcher;

typedef struct DispatcherOptions {
    WorkerOptions worker; /* index is filled in here */
    int workers;
    void (*wake)(void *context); /* any thread; must return at once */
    void *context;
} DispatcherOptions;

/* Starts the workers. The caller frees *out with dispatcher_free. */
int dispatcher_new(const DispatcherOptions *options, Dispatcher **out, Error *error) MUST_CHECK;

/* Stops what still runs, frees what waits. */
void dispatcher_free(Dispatcher *dispatcher);

/* Takes over a batch. Batches come in dispatch order. */
void dispatcher_add(Dispatcher *dispatcher, Batch *batch);

/* Hands to the workers what may run now. */
void dispatcher_run(Dispatcher *dispatcher);

/*
 * The next batch that is done, or NULL; the caller owns it. It is durable when error->code is ERROR_NONE afterwards,
 * else it failed and changed nothing.
 */
Batch *dispatcher_collect(Dispatcher *dispatcher, Error *error);

int dispatcher_workers(const Dispatcher *dispatcher);

/* How many batches of worker wait or run. */
size_t dispatcher_load(const Dispatcher *dispatcher, int worker);

size_t dispatcher_waiting(const Dispatcher *dispatcher);
size_t dispatcher_running(const Dispatcher *dispatcher);

/* Frees what waits and has not been handed over. */
void dispatcher_drop_waiting(Dispatcher *dispatcher);

/* Ends the workers: what they have begun is finished or rolled back. What is done can still be collected. */
void dispatcher_stop(Dispatcher *dispatcher);
