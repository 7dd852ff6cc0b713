/*
 * A queue, a thread that takes from it, and a connection that only the thread uses. One lock guards the queue and the
 * wish to stop; it is never held while a batch is applied or reported.
 *
 *     RUNNING ──error──► FAILED ──┐      in FAILED the thread has ended: batches submitted since are freed by
 *        └─────worker_stop────────┴──► STOPPING ──► freed              worker_stop, not reported
 *
 * libpq's buffers grow and never shrink. So after a batch with very large values the connection is made anew: what the
 * worker holds while it has nothing to do is small. The server's process grows, too: it keeps what it knows of each table that it
 * has written to (the relation cache has no limit: utils/cache/relcache.c, all majors), so that it is left when it has grown
 * large (growth.h).
 *
 * The thread gives up its transaction when it ends, whatever was open in it: an open transaction belongs to batches that
 * were not reported durable.
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply.h"
#include "clock.h"
#include "definer.h"
#include "growth.h"

#define PATIENCE_SECONDS 2
#define ARENA_CHUNK ((size_t)1 << 20)
#define LARGE_BATCH ((size_t)32 << 20) /* bytes of values */

struct Worker {
    WorkerOptions options;
    char *migration;
    BatchDone done;
    void *context;
    pthread_mutex_t session_lock; /* held where session is replaced, and where another thread uses it */
    Session *session;             /* NULL: to be made anew */
    Growth growth;                /* of session */
    Definer *definer;
    pthread_t thread;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    struct timespec patience; /* until then the batch under way may go on, once stopping */
    bool ended;
    Batch **queue; /* ring */
    size_t head;
    size_t count;
    size_t capacity;
};

/* Waits; false when the worker is to stop. */
static bool pause_worker(void *context, unsigned milliseconds)
{
    Worker *worker = context;
    struct timespec until = clock_after_ms(milliseconds);
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping &&
           pthread_cond_timedwait(&worker->changed, &worker->lock, &until) != ETIMEDOUT) {
    }
    bool go_on = !worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return go_on;
}

static bool is_stopping(Worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    bool stopping = worker->stopping;
    pthread_mutex_unlock(&worker->lock);
    return stopping;
}

/* The next batch, or NULL when the worker is to stop. */
static Batch *next_batch(Worker *worker)
{
    Batch *batch = NULL;
    pthread_mutex_lock(&worker->lock);
    while (!worker->stopping && worker->count == 0) {
        pthread_cond_wait(&worker->changed, &worker->lock);
    }
    if (!worker->stopping) {
        batch = worker->queue[worker->head];
        worker->head = (worker->head + 1) % worker->capacity;
        worker->count--;
    }
    pthread_mutex_unlock(&worker->lock);
    return batch;
}

static int renew_session(Worker *worker, Error *error)
{
    const WorkerOptions *options = &worker->options;
    pthread_mutex_lock(&worker->session_lock);
    session_close(worker->session);
    worker->session = NULL;
    int status = session_open(options->target, worker->migration, options->encoding, options->index,
                              &worker->session, error);
    pthread_mutex_unlock(&worker->session_lock);
    growth_begin(&worker->growth);
    return status;
}

/* Applies batch; leaves the worker with a connection of ordinary size, or none. */
static int work(Worker *worker, Applying *applying, Batch *batch, Error *error)
{
    if (batch->kind == BATCH_DDL) {
        return definer_run(worker->definer, batch, error);
    }
    if (worker->session == NULL && renew_session(worker, error) != 0) {
        return -1;
    }
    applying->session = worker->session;
    if (apply_batch(applying, batch, error) != 0) {
        return -1;
    }
    if (applying->open) {
        return 0;
    }
    if (batch->bytes >= LARGE_BATCH || growth_reached(&worker->growth, worker->session)) {
        Error ignored; /* the next batch tries again, and is there to tell */
        (void)!renew_session(worker, &ignored);
    }
    return 0;
}

static void *run_worker(void *context)
{
    Worker *worker = context;
    Applying applying = {.arena = arena_new(ARENA_CHUNK),
                         .migration = worker->migration,
                         .epoch = worker->options.epoch,
                         .policies = worker->options.policies,
                         .copy_rows = worker->options.copy_rows,
                         .log = worker->options.log,
                         .pause = pause_worker,
                         .context = worker};
    Error error = {0};
    while (error.code == ERROR_NONE) {
        Batch *batch = next_batch(worker);
        if (batch == NULL) {
            break;
        }
        if (work(worker, &applying, batch, &error) != 0 && is_stopping(worker) &&
            error_is_retryable(&error)) {
            error_set(&error, ERROR_INTERRUPTED, "worker %d: stopped in the middle of a batch",
                      worker->options.index);
        }
        worker->done(worker->context, batch, &error);
    }
    arena_free(applying.arena);
    pthread_mutex_lock(&worker->lock);
    worker->ended = true;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
    return NULL;
}

static void init_lock(Worker *worker)
{
    clock_condition(&worker->changed);
    pthread_mutex_init(&worker->lock, NULL);
    pthread_mutex_init(&worker->session_lock, NULL);
}

static void free_worker(Worker *worker)
{
    for (size_t i = 0; i < worker->count; i++) {
        batch_free(worker->queue[(worker->head + i) % worker->capacity]);
    }
    session_close(worker->session);
    definer_free(worker->definer);
    pthread_mutex_destroy(&worker->lock);
    pthread_mutex_destroy(&worker->session_lock);
    pthread_cond_destroy(&worker->changed);
    free(worker->queue);
    free(worker->migration);
    free(worker);
}

int worker_start(const WorkerOptions *options, BatchDone done, void *context, Worker **out, Error *error)
{
    Worker *worker = calloc(1, sizeof(*worker));
    if (worker == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a worker");
    }
    worker->options = *options;
    worker->migration = strdup(options->migration);
    worker->done = done;
    worker->context = context;
    worker->growth = (Growth){.limit = options->session_memory, .tables = options->session_tables};
    growth_begin(&worker->growth);
    init_lock(worker);
    worker->definer = definer_new(&(DefinerOptions){.target = options->target,
                                                    .migration = worker->migration,
                                                    .epoch = options->epoch,
                                                    .log = options->log});
    if (session_open(options->target, options->migration, options->encoding, options->index, &worker->session,
                     error) != 0) {
        free_worker(worker);
        return error_context(error, "worker %d", options->index);
    }
    int failed = pthread_create(&worker->thread, NULL, run_worker, worker);
    if (failed != 0) {
        free_worker(worker);
        return error_set(error, ERROR_SYSTEM, "cannot start the thread of a worker: %s", strerror(failed));
    }
    *out = worker;
    return 0;
}

static void grow_queue(Worker *worker)
{
    size_t capacity = worker->capacity == 0 ? 16 : worker->capacity * 2;
    Batch **queue = calloc(capacity, sizeof(*queue));
    if (queue == NULL) {
        fputs("penstock: out of memory\n", stderr);
        abort();
    }
    for (size_t i = 0; i < worker->count; i++) {
        queue[i] = worker->queue[(worker->head + i) % worker->capacity];
    }
    free(worker->queue);
    worker->queue = queue;
    worker->head = 0;
    worker->capacity = capacity;
}

void worker_submit(Worker *worker, Batch *batch)
{
    pthread_mutex_lock(&worker->lock);
    if (worker->count == worker->capacity) {
        grow_queue(worker);
    }
    worker->queue[(worker->head + worker->count++) % worker->capacity] = batch;
    pthread_cond_broadcast(&worker->changed);
    pthread_mutex_unlock(&worker->lock);
}

static void cut_session(Worker *worker)
{
    definer_cut(worker->definer);
    pthread_mutex_lock(&worker->session_lock);
    if (worker->session != NULL) {
        session_cut(worker->session);
    }
    pthread_mutex_unlock(&worker->session_lock);
}

void worker_ask_stop(Worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    if (!worker->stopping) {
        worker->stopping = true;
        worker->patience = clock_after_ms(PATIENCE_SECONDS * 1000);
        pthread_cond_broadcast(&worker->changed);
    }
    pthread_mutex_unlock(&worker->lock);
}

void worker_stop(Worker *worker)
{
    if (worker == NULL) {
        return;
    }
    worker_ask_stop(worker);
    pthread_mutex_lock(&worker->lock);
    while (!worker->ended &&
           pthread_cond_timedwait(&worker->changed, &worker->lock, &worker->patience) == 0) {
    }
    if (!worker->ended) {
        pthread_mutex_unlock(&worker->lock);
        cut_session(worker);
        pthread_mutex_lock(&worker->lock);
    }
    while (!worker->ended) {
        pthread_cond_wait(&worker->changed, &worker->lock);
    }
    pthread_mutex_unlock(&worker->lock);
    pthread_join(worker->thread, NULL);
    free_worker(worker);
}
