/*
 * The batches that wait, in dispatch order, and which of them may run now. Pure.
 */
#pragma once

#include "batch.h"

typedef struct Runnable Runnable;

/* depth: batches of one worker that may run at a time, one behind the other. */
Runnable *runnable_new(int workers, int depth);

/* Frees the batches that wait, too. */
void runnable_free(Runnable *runnable);

/* Takes over a batch. Batches come in dispatch order. */
void runnable_add(Runnable *runnable, Batch *batch);

/* A batch that may run now, or NULL; it counts as running, and the caller owns it. */
Batch *runnable_next(Runnable *runnable);

/* A batch that ran is done. Those of one worker end in the order in which they were given out. */
void runnable_done(Runnable *runnable, const Batch *batch);

/* Frees what waits. */
void runnable_drop(Runnable *runnable);

/* How many batches of worker wait or run. */
size_t runnable_load(const Runnable *runnable, int worker);

size_t runnable_waiting(const Runnable *runnable);
size_t runnable_running(const Runnable *runnable);
