/*
 * One mutex guards the view and the flags; the thread copies the view out and writes it without the mutex, so that a
 * slow target never holds up the event loop.
 *
 *     publish ──► changed ──(≤ 200 ms)──► write ──► quiet ──(5 s)──► write again, to show that we live
 */
#include "reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "state.h"

#define CHANGED_MS 200
#define QUIET_MS 5000

struct Reporter {
    Database *target;
    char *migration;
    int workers;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    ReporterView view;
    bool changed;
    bool stopping;
    Error failure;
};

static struct timespec deadline_after(int ms)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += ms / 1000;
    deadline.tv_nsec += (long)(ms % 1000) * 1000000;
    if (deadline.tv_nsec >= 1000000000) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000;
    }
    return deadline;
}

/* Waits, with the mutex held, until a write is due: not sooner than CHANGED_MS after the last one, unless stopping. */
static void wait_for_work(Reporter *reporter)
{
    struct timespec soonest = deadline_after(CHANGED_MS), latest = deadline_after(QUIET_MS);
    while (!reporter->stopping && pthread_cond_timedwait(&reporter->wake, &reporter->mutex, &soonest) == 0) {
    }
    while (!reporter->stopping && !reporter->changed &&
           pthread_cond_timedwait(&reporter->wake, &reporter->mutex, &latest) == 0) {
    }
}

static int write_view(Reporter *reporter, const ReporterView *view, Error *error)
{
    ApplierReport report = {
        .state = view->state,
        .workers = reporter->workers,
        .received_lsn = view->received_lsn,
        .low_water_lsn = view->low_water_lsn,
        .last_commit_time = view->last_commit_time,
        .transactions = view->transactions,
        .changes = view->changes,
        .statistics = view->statistics[0] != '\0' ? view->statistics : "{}",
        .error = view->error.code != ERROR_NONE ? &view->error : NULL,
    };
    return state_report_applier(reporter->target, reporter->migration, &report, error);
}

static void *run(void *argument)
{
    Reporter *reporter = argument;
    Error error = {0};
    pthread_mutex_lock(&reporter->mutex);
    for (bool stopping = false; !stopping;) {
        wait_for_work(reporter);
        stopping = reporter->stopping;
        ReporterView view = reporter->view;
        reporter->changed = false;
        pthread_mutex_unlock(&reporter->mutex);
        int status = view.state != NULL ? write_view(reporter, &view, &error) : 0;
        pthread_mutex_lock(&reporter->mutex);
        if (status != 0) {
            reporter->failure = error;
            break;
        }
    }
    pthread_mutex_unlock(&reporter->mutex);
    return NULL;
}

static void reporter_free(Reporter *reporter)
{
    pthread_cond_destroy(&reporter->wake);
    pthread_mutex_destroy(&reporter->mutex);
    database_close(reporter->target);
    free(reporter->migration);
    free(reporter);
}

static Reporter *reporter_new(const char *migration, int workers)
{
    Reporter *reporter = calloc(1, sizeof *reporter);
    if (reporter == NULL || (reporter->migration = strdup(migration)) == NULL) {
        abort();
    }
    reporter->workers = workers;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&reporter->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&reporter->mutex, NULL);
    return reporter;
}

int reporter_start(const char *target, const char *migration, int workers, Reporter **out, Error *error)
{
    *out = NULL;
    Reporter *reporter = reporter_new(migration, workers);
    if (database_connect(target, DATABASE_TARGET, "applier", &reporter->target, error) != 0 ||
        state_lock(reporter->target, migration, "applier", error) != 0) {
        reporter_free(reporter);
        return -1;
    }
    if (pthread_create(&reporter->thread, NULL, run, reporter) != 0) {
        reporter_free(reporter);
        return error_set(error, ERROR_SYSTEM, "cannot start the reporter's thread");
    }
    *out = reporter;
    return 0;
}

void reporter_publish(Reporter *reporter, const ReporterView *view)
{
    pthread_mutex_lock(&reporter->mutex);
    reporter->view = *view;
    reporter->changed = true;
    pthread_cond_signal(&reporter->wake);
    pthread_mutex_unlock(&reporter->mutex);
}

bool reporter_failed(Reporter *reporter, Error *error)
{
    pthread_mutex_lock(&reporter->mutex);
    bool failed = reporter->failure.code != ERROR_NONE;
    if (failed) {
        *error = reporter->failure;
    }
    pthread_mutex_unlock(&reporter->mutex);
    return failed;
}

void reporter_stop(Reporter *reporter)
{
    if (reporter == NULL) {
        return;
    }
    pthread_mutex_lock(&reporter->mutex);
    reporter->stopping = true;
    pthread_cond_signal(&reporter->wake);
    pthread_mutex_unlock(&reporter->mutex);
    pthread_join(reporter->thread, NULL);
    reporter_free(reporter);
}
