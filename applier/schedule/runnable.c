/*
 * One list of waiting batches. Walking from its head, each batch may run when its worker has less than `depth` of them
 * and when the batches of other workers that it waits for are done. One that has to wait holds up those of its own
 * worker behind it, but not those of others. A barrier ends the walk:
 *
 *     [w0] [w1] [w0] [BARRIER] [w1] …        the barrier runs when it is at the head and nothing else runs;
 *      └─ walk ──┘       ▲                   nothing behind it starts before it is done
 *
 * A worker ends its batches in the order in which it got them, so "number n of worker w is done" is one counter.
 */
#include "runnable.h"

#include <stdlib.h>

typedef struct Node {
    struct Node *next;
    Batch *batch;
} Node;

struct Runnable {
    int workers;
    int depth;
    Node *first;
    Node **end; /* where the next one is hooked in */
    size_t waiting;
    size_t running;
    bool barrier_running;
    int *running_by_worker;
    size_t *load;   /* by worker: waiting or running */
    uint64_t *done; /* by worker: number of the last batch that is done */
    bool *held;     /* by worker, during a walk: an earlier batch of it has to wait */
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

Runnable *runnable_new(int workers, int depth)
{
    Runnable *runnable = zeroed(1, sizeof *runnable);
    runnable->workers = workers;
    runnable->depth = depth;
    runnable->end = &runnable->first;
    runnable->running_by_worker = zeroed((size_t)workers, sizeof *runnable->running_by_worker);
    runnable->load = zeroed((size_t)workers, sizeof *runnable->load);
    runnable->done = zeroed((size_t)workers, sizeof *runnable->done);
    runnable->held = zeroed((size_t)workers, sizeof *runnable->held);
    return runnable;
}

void runnable_free(Runnable *runnable)
{
    if (runnable == NULL) {
        return;
    }
    runnable_drop(runnable);
    free(runnable->running_by_worker);
    free(runnable->load);
    free(runnable->done);
    free(runnable->held);
    free(runnable);
}

void runnable_add(Runnable *runnable, Batch *batch)
{
    Node *node = zeroed(1, sizeof *node);
    node->batch = batch;
    *runnable->end = node;
    runnable->end = &node->next;
    runnable->waiting++;
    runnable->load[batch->worker]++;
}

/* Unhooks the node at *link and gives its batch. */
static Batch *take(Runnable *runnable, Node **link)
{
    Node *node = *link;
    Batch *batch = node->batch;
    *link = node->next;
    if (runnable->end == &node->next) {
        runnable->end = link;
    }
    free(node);
    runnable->waiting--;
    return batch;
}

static bool waits_for_others(const Runnable *runnable, const Batch *batch)
{
    for (int worker = 0; batch->after != NULL && worker < runnable->workers; worker++) {
        if (batch->after[worker] > runnable->done[worker]) {
            return true;
        }
    }
    return false;
}

/* Where the first batch that may run hangs, or NULL. */
static Node **find(Runnable *runnable)
{
    int free_workers = runnable->workers;
    for (int worker = 0; worker < runnable->workers; worker++) {
        runnable->held[worker] = runnable->running_by_worker[worker] >= runnable->depth;
        free_workers -= runnable->held[worker];
    }
    for (Node **link = &runnable->first; *link != NULL && free_workers > 0; link = &(*link)->next) {
        const Batch *batch = (*link)->batch;
        if (batch->barrier) {
            return link == &runnable->first && runnable->running == 0 ? link : NULL;
        }
        if (runnable->held[batch->worker]) {
            continue;
        }
        if (!waits_for_others(runnable, batch)) {
            return link;
        }
        runnable->held[batch->worker] = true;
        free_workers--;
    }
    return NULL;
}

Batch *runnable_next(Runnable *runnable)
{
    Node **link = runnable->barrier_running ? NULL : find(runnable);
    if (link == NULL) {
        return NULL;
    }
    Batch *batch = take(runnable, link);
    runnable->running++;
    runnable->running_by_worker[batch->worker]++;
    runnable->barrier_running = batch->barrier;
    return batch;
}

void runnable_done(Runnable *runnable, const Batch *batch)
{
    runnable->running--;
    runnable->running_by_worker[batch->worker]--;
    runnable->load[batch->worker]--;
    runnable->done[batch->worker] = batch->number;
    runnable->barrier_running = false;
}

void runnable_drop(Runnable *runnable)
{
    while (runnable->first != NULL) {
        Batch *batch = take(runnable, &runnable->first);
        runnable->load[batch->worker]--;
        batch_free(batch);
    }
}

size_t runnable_load(const Runnable *runnable, int worker)
{
    return runnable->load[worker];
}

size_t runnable_waiting(const Runnable *runnable)
{
    return runnable->waiting;
}

size_t runnable_running(const Runnable *runnable)
{
    return runnable->running;
}
