/*
 * Which batch may run is runnable.c's matter; here are the workers, and the list on which their threads leave what is
 * done.
 *
 * DEPTH is small, so that a stop is quick; more than one, so that a worker does not wait for the event loop.
 */
#include "dispatch.h"

#include <pthread.h>
#include <stdlib.h>

#include "runnable.h"

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
    int worker_count;
    void (*wake)(void *context);
    void *context;
    Runnable *runnable;
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
    node->error = *error;
    *list->end = node;
    list->end = &node->next;
}

static Batch *list_take(List *list)
{
    Node *node = list->first;
    Batch *batch = node->batch;
    list->first = node->next;
    if (list->end == &node->next) {
        list->end = &list->first;
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
    if (dispatcher->workers == NULL) {
        abort();
    }
    dispatcher->runnable = runnable_new(options->workers, DEPTH);
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
    while (dispatcher->done.first != NULL) {
        batch_free(list_take(&dispatcher->done));
    }
    pthread_mutex_destroy(&dispatcher->mutex);
    runnable_free(dispatcher->runnable);
    free(dispatcher->workers);
    free(dispatcher);
}

void dispatcher_add(Dispatcher *dispatcher, Batch *batch)
{
    runnable_add(dispatcher->runnable, batch);
}

void dispatcher_run(Dispatcher *dispatcher)
{
    for (Batch *batch = runnable_next(dispatcher->runnable); batch != NULL;
         batch = runnable_next(dispatcher->runnable)) {
        worker_submit(dispatcher->workers[batch->worker], batch);
    }
}

Batch *dispatcher_collect(Dispatcher *dispatcher, Error *error)
{
    Batch *batch = NULL;
    pthread_mutex_lock(&dispatcher->mutex);
    if (dispatcher->done.first != NULL) {
        *error = dispatcher->done.first->error;
        batch = list_take(&dispatcher->done);
    }
    pthread_mutex_unlock(&dispatcher->mutex);
    if (batch != NULL) {
        runnable_done(dispatcher->runnable, batch);
    }
    return batch;
}

int dispatcher_workers(const Dispatcher *dispatcher)
{
    return dispatcher->worker_count;
}

size_t dispatcher_load(const Dispatcher *dispatcher, int worker)
{
    return runnable_load(dispatcher->runnable, worker);
}

size_t dispatcher_waiting(const Dispatcher *dispatcher)
{
    return runnable_waiting(dispatcher->runnable);
}

size_t dispatcher_running(const Dispatcher *dispatcher)
{
    return runnable_running(dispatcher->runnable);
}

void dispatcher_drop_waiting(Dispatcher *dispatcher)
{
    runnable_drop(dispatcher->runnable);
}

void dispatcher_stop(Dispatcher *dispatcher)
{
    for (int i = 0; i < dispatcher->worker_count; i++) {
        worker_ask_stop(dispatcher->workers[i]);
    }
    for (int i = 0; i < dispatcher->worker_count; i++) {
        worker_stop(dispatcher->workers[i]);
    }
    dispatcher->worker_count = 0;
}
