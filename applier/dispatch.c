/*
 * One list of waiting batches in dispatch order. Walking from its head, each batch goes to its worker when that has
 * less than DEPTH batches; one that has to wait does not hold up batches of other workers behind it, because batches of
 * different workers have no order between them. A barrier ends the walk:
 *
 *     [w0] [w1] [w0] [BARRIER] [w1] …        the barrier runs when it is at the head and nothing else runs;
 *      └─ walk ──┘       ▲                   nothing behind it starts before it is done
 *
 * DEPTH is small, so that a stop is quick; more than one, so that a worker does not wait for the event loop.
 */
#include "dispatch.h"

#include <pthread.h>
#include <stdlib.h>

#define DEPTH 3

typedef struct Node {
    struct Node *next;
    Batch *batch;
    Error error; /* of a batch that is done */
} Node;

typedef struct List {
    Node *first;
    Node **end; /* where the next one is hooked in */
} List;

struct Dispatcher {
    Worker **workers;
    int *running_by_worker;
    int worker_count;
    void (*wake)(void *context);
    void *context;
    List waiting;
    size_t waiting_count;
    size_t running;
    bool barrier_running;
    pthread_mutex_t mutex; /* guards done */
    List done;
};

static void list_init(List *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_append(List *list, Batch *batch, const Error *error)
{
    Node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        abort();
    }
    node->batch = batch;
    if (error != NULL) {
        node->error = *error;
    }
    *list->end = node;
    list->end = &node->next;
}

/* Unhooks the node at *link and gives its batch. */
static Batch *list_remove(List *list, Node **link)
{
    Node *node = *link;
    Batch *batch = node->batch;
    *link = node->next;
    if (list->end == &node->next) {
        list->end = link;
    }
    free(node);
    return batch;
}

/* On a worker's thread. */
static void batch_done(void *context, Batch *batch, const Error *error)
{
    Dispatcher *dispatcher = context;
    pthread_mutex_lock(&dispatcher->mutex);
    list_append(&dispatcher->done, batch, error);
    pthread_mutex_unlock(&dispatcher->mutex);
    dispatcher->wake(dispatcher->context);
}

static int start_workers(Dispatcher *dispatcher, const DispatcherOptions *options, Error *error)
{
    for (int i = 0; i < options->workers; i++) {
        WorkerOptions worker = options->worker;
        worker.index = i;
        if (worker_start(&worker, batch_done, dispatcher, &dispatcher->workers[i], error) != 0) {
            return -1;
        }
        dispatcher->worker_count = i + 1;
    }
    return 0;
}

int dispatcher_new(const DispatcherOptions *options, Dispatcher **out, Error *error)
{
    *out = NULL;
    Dispatcher *dispatcher = calloc(1, sizeof *dispatcher);
    if (dispatcher == NULL) {
        abort();
    }
    dispatcher->wake = options->wake;
    dispatcher->context = options->context;
    dispatcher->workers = calloc((size_t)options->workers, sizeof(Worker *));
    dispatcher->running_by_worker = calloc((size_t)options->workers, sizeof(int));
    if (dispatcher->workers == NULL || dispatcher->running_by_worker == NULL) {
        abort();
    }
    list_init(&dispatcher->waiting);
    list_init(&dispatcher->done);
    pthread_mutex_init(&dispatcher->mutex, NULL);
    if (start_workers(dispatcher, options, error) != 0) {
        dispatcher_free(dispatcher);
        return -1;
    }
    *out = dispatcher;
    return 0;
}

void dispatcher_free(Dispatcher *dispatcher)
{
    if (dispatcher == NULL) {
        return;
    }
    dispatcher_stop(dispatcher);
    dispatcher_drop_waiting(dispatcher);
    while (dispatcher->done.first != NULL) {
        batch_free(list_remove(&dispatcher->done, &dispatcher->done.first));
    }
    pthread_mutex_destroy(&dispatcher->mutex);
    free(dispatcher->running_by_worker);
    free(dispatcher->workers);
    free(dispatcher);
}

void dispatcher_add(Dispatcher *dispatcher, Batch *batch)
{
    list_append(&dispatcher->waiting, batch, NULL);
    dispatcher->waiting_count++;
}

static void submit(Dispatcher *dispatcher, Node **link)
{
    Batch *batch = list_remove(&dispatcher->waiting, link);
    dispatcher->waiting_count--;
    dispatcher->running++;
    dispatcher->running_by_worker[batch->worker]++;
    dispatcher->barrier_running = batch->barrier;
    worker_submit(dispatcher->workers[batch->worker], batch);
}

void dispatcher_run(Dispatcher *dispatcher)
{
    Node **link = &dispatcher->waiting.first;
    size_t most = (size_t)dispatcher->worker_count * DEPTH;
    while (*link != NULL && !dispatcher->barrier_running && dispatcher->running < most) {
        const Batch *batch = (*link)->batch;
        if (batch->barrier) {
            if (link == &dispatcher->waiting.first && dispatcher->running == 0) {
                submit(dispatcher, link);
            }
            return;
        }
        if (dispatcher->running_by_worker[batch->worker] < DEPTH) {
            submit(dispatcher, link);
        } else {
            link = &(*link)->next;
        }
    }
}

Batch *dispatcher_collect(Dispatcher *dispatcher, Error *error)
{
    Batch *batch = NULL;
    pthread_mutex_lock(&dispatcher->mutex);
    if (dispatcher->done.first != NULL) {
        *error = dispatcher->done.first->error;
        batch = list_remove(&dispatcher->done, &dispatcher->done.first);
    }
    pthread_mutex_unlock(&dispatcher->mutex);
    if (batch != NULL) {
        dispatcher->running--;
        dispatcher->running_by_worker[batch->worker]--;
        dispatcher->barrier_running = false;
    }
    return batch;
}

size_t dispatcher_waiting(const Dispatcher *dispatcher)
{
    return dispatcher->waiting_count;
}

size_t dispatcher_running(const Dispatcher *dispatcher)
{
    return dispatcher->running;
}

void dispatcher_drop_waiting(Dispatcher *dispatcher)
{
    while (dispatcher->waiting.first != NULL) {
        batch_free(list_remove(&dispatcher->waiting, &dispatcher->waiting.first));
    }
    dispatcher->waiting_count = 0;
}

void dispatcher_stop(Dispatcher *dispatcher)
{
    for (int i = 0; i < dispatcher->worker_count; i++) {
        worker_stop(dispatcher->workers[i]);
    }
    dispatcher->worker_count = 0;
}
