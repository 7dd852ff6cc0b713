/*
 * One mutex guards the view and the flags; the thread copies the view out and writes it without the mutex, so that a
 * slow target never holds up the event loop.
 *
 *     publish ──► changed ──(200 ms, or at once)──► write ──► quiet ──(5 s)──► write again, to show that we live
 *
 * Behind an old snapshot on the target the row that is written over and over leaves all that it was, and finding it costs more
 * with each write (an hour of them: some 18,000 versions). So after a write that took long the next one waits in proportion:
 * reports are fewer then, and take a tenth of a core, or one each second.
 *
 * A write that does not come back is a target that is gone without a word: after the timeout reporter_failed says so,
 * and reporter_stop cuts the connection to get the thread back.
 */
#include "reporter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "history.h"
#include "state.h"

#define CHANGED_MS 200
#define QUIET_MS 5000
/* So many times what the last write took; but on a machine that is slow for everybody, who says nothing for seconds counts as dead. */
#define PAUSE_TIMES 9
#define PAUSE_MOST_MS 1000
#define LOOK_SECONDS 1
#define STOP_MS 2000
#define LOCK_SECONDS 3
#define LOCK_STEP_MS 50
#define HISTORY_SECONDS 10

struct Reporter {
    ReporterOptions options;
    Database *target;
    int socket; /* a descriptor of our own for the connection's */
    char *migration;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    pthread_cond_t wrote;
    ReporterView view;
    bool changed;
    bool urgent;         /* what changed is written without a pause */
    bool flushing;       /* someone waits for what was published last */
    CountsReport counts; /* to be written; lanes is NULL when there are none */
    bool stopping;
    bool ended;
    double writing_since; /* monotonic; 0: not writing */
    Lsn written;
    Error failure;

    /* The thread's own. */
    double took; /* the last write, seconds */
    double looked;
    double kept;      /* when a sample of the history was added last */
    char *blocked;    /* as JSON, or NULL */
    char *blocked_by; /* for people */
    char *lanes;      /* as they were written last */
};

static unsigned pause_ms(const Reporter *reporter)
{
    double pause = reporter->took * 1000 * PAUSE_TIMES;
    return pause < CHANGED_MS ? CHANGED_MS : pause > PAUSE_MOST_MS ? PAUSE_MOST_MS : (unsigned)pause;
}

/*
 * Waits, with the mutex held, until a write is due: not sooner than pause_ms after the last one, unless stopping or
 * someone waits for it.
 */
static void wait_for_work(Reporter *reporter)
{
    struct timespec soonest = clock_after_ms(pause_ms(reporter)), latest = clock_after_ms(QUIET_MS);
    while (!reporter->stopping && !reporter->flushing && !reporter->urgent &&
           pthread_cond_timedwait(&reporter->wake, &reporter->mutex, &soonest) == 0) {
    }
    while (!reporter->stopping && !reporter->changed && reporter->counts.lanes == NULL &&
           pthread_cond_timedwait(&reporter->wake, &reporter->mutex, &latest) == 0) {
    }
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Who keeps workers waiting, looked up once a second at most; said when it is someone else than before. */
static int look_for_locks(Reporter *reporter, const ReporterView *view, Error *error)
{
    char *json = NULL, *text = NULL;
    double now = clock_seconds();
    if (view->working && now - reporter->looked < LOOK_SECONDS) {
        return 0;
    }
    reporter->looked = now;
    if (view->working && state_blocked(reporter->target, reporter->migration, &json, &text, error) != 0) {
        return -1;
    }
    if (text != NULL && !same(text, reporter->blocked_by)) {
        log_line(reporter->options.log, LOG_WARNING, "waiting for a lock on the target that is held by %s",
                 text);
    }
    free(reporter->blocked);
    free(reporter->blocked_by);
    reporter->blocked = json;
    reporter->blocked_by = text;
    return 0;
}

static int write_view(Reporter *reporter, const ReporterView *view, Error *error)
{
    if (look_for_locks(reporter, view, error) != 0) {
        return -1;
    }
    ApplierReport report = {
        .state = view->state,
        .workers = reporter->options.workers,
        .received_lsn = view->received_lsn,
        .low_water_lsn = view->low_water_lsn,
        .source_lsn = view->source_lsn,
        .last_commit_time = view->last_commit_time,
        .heartbeat_time = view->heartbeat_time,
        .transactions = view->transactions,
        .changes = view->changes,
        .statistics = view->statistics[0] != '\0' ? view->statistics : "{}",
        .rates = view->rates[0] != '\0' ? view->rates : "{}",
        .blocked = reporter->blocked,
        .error = view->error.code != ERROR_NONE ? &view->error : NULL,
    };
    return state_report_applier(reporter->target, reporter->migration, &report, error);
}

/* Nothing is written when nothing was applied since and every lane's rate is as it was. */
static int write_counts(Reporter *reporter, CountsReport *counts, Error *error)
{
    if (counts->lanes == NULL || (counts->table_count == 0 && same(counts->lanes, reporter->lanes))) {
        return 0;
    }
    int status = state_report_counts(reporter->target, reporter->migration, counts->lanes, counts->tables,
                                     counts->table_count, counts->counted, error);
    free(reporter->lanes);
    reporter->lanes = counts->lanes;
    counts->lanes = NULL;
    return status;
}

static int keep_history(Reporter *reporter, Error *error)
{
    double now = clock_seconds();
    if (now - reporter->kept < HISTORY_SECONDS) {
        return 0;
    }
    reporter->kept = now;
    return state_history_add(reporter->target, reporter->migration, error);
}

static void note_written(Reporter *reporter, Lsn low_water)
{
    pthread_mutex_lock(&reporter->mutex);
    if (low_water > reporter->written) {
        reporter->written = low_water;
    }
    pthread_mutex_unlock(&reporter->mutex);
}

/* One write, with the mutex held before and after; false when the connection is lost. */
static bool write_once(Reporter *reporter)
{
    Error error = {0};
    ReporterView view = reporter->view;
    CountsReport counts = reporter->counts;
    if (view.state == NULL) {
        return true;
    }
    reporter->changed = reporter->urgent = false;
    reporter->counts = (CountsReport){0};
    reporter->writing_since = clock_seconds();
    pthread_mutex_unlock(&reporter->mutex);
    int status = write_view(reporter, &view, &error);
    if (status == 0) {
        note_written(reporter, view.low_water_lsn);
        status = write_counts(reporter, &counts, &error);
        status = status == 0 ? keep_history(reporter, &error) : status;
    }
    counts_report_free(&counts);
    pthread_mutex_lock(&reporter->mutex);
    reporter->took = clock_seconds() - reporter->writing_since;
    reporter->writing_since = 0;
    if (status != 0) {
        reporter->failure = error;
    }
    pthread_cond_broadcast(&reporter->wrote);
    return status == 0;
}

static void *run(void *argument)
{
    Reporter *reporter = argument;
    pthread_mutex_lock(&reporter->mutex);
    for (bool stopping = false; !stopping;) {
        wait_for_work(reporter);
        stopping = reporter->stopping;
        if (!write_once(reporter)) {
            break;
        }
    }
    reporter->ended = true;
    pthread_cond_broadcast(&reporter->wrote);
    pthread_mutex_unlock(&reporter->mutex);
    return NULL;
}

static void reporter_free(Reporter *reporter)
{
    pthread_cond_destroy(&reporter->wrote);
    pthread_cond_destroy(&reporter->wake);
    pthread_mutex_destroy(&reporter->mutex);
    if (reporter->socket >= 0) {
        close(reporter->socket);
    }
    database_close(reporter->target);
    free(reporter->blocked);
    free(reporter->blocked_by);
    free(reporter->lanes);
    counts_report_free(&reporter->counts);
    free(reporter->migration);
    free(reporter);
}

static Reporter *reporter_new(const ReporterOptions *options)
{
    Reporter *reporter = calloc(1, sizeof *reporter);
    if (reporter == NULL || (reporter->migration = strdup(options->migration)) == NULL) {
        abort();
    }
    reporter->options = *options;
    reporter->socket = -1;
    clock_condition(&reporter->wake);
    clock_condition(&reporter->wrote);
    pthread_mutex_init(&reporter->mutex, NULL);
    return reporter;
}

/*
 * The server may still be ending the session of an applier that has ended a moment ago, and that was started again at once.
 */
static int take_lock(Reporter *reporter, Error *error)
{
    double begun = clock_seconds();
    int status = state_lock(reporter->target, reporter->migration, "applier", error);
    while (status != 0 && reporter->options.begins && error->code == ERROR_STATE &&
           clock_seconds() - begun < LOCK_SECONDS) {
        clock_pause_ms(LOCK_STEP_MS);
        status = state_lock(reporter->target, reporter->migration, "applier", error);
    }
    return status;
}

static int connect_target(Reporter *reporter, Error *error)
{
    if (database_connect(reporter->options.target, DATABASE_TARGET, "applier", &reporter->target, error) !=
        0) {
        return -1;
    }
    reporter->socket = dup(PQsocket(database_connection(reporter->target)));
    return take_lock(reporter, error) == 0 ? state_open_counts(reporter->target, reporter->migration, error)
                                           : -1;
}

int reporter_start(const ReporterOptions *options, Reporter **out, Error *error)
{
    *out = NULL;
    Reporter *reporter = reporter_new(options);
    if (connect_target(reporter, error) != 0) {
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

int reporter_session(const Reporter *reporter)
{
    return PQbackendPID(database_connection(reporter->target));
}

/* While batches are under way every view is written: someone may hold a lock that they wait for. */
void reporter_publish(Reporter *reporter, const ReporterView *view, Urgency urgency)
{
    pthread_mutex_lock(&reporter->mutex);
    if (view->working || memcmp(&reporter->view, view, sizeof *view) != 0) {
        memcpy(&reporter->view, view, sizeof *view);
        reporter->changed = true;
    }
    reporter->urgent = reporter->changed && (reporter->urgent || urgency == REPORT_NOW);
    if (reporter->changed) {
        pthread_cond_signal(&reporter->wake);
    }
    pthread_mutex_unlock(&reporter->mutex);
}

bool reporter_takes_counts(Reporter *reporter)
{
    pthread_mutex_lock(&reporter->mutex);
    bool takes = reporter->counts.lanes == NULL && reporter->writing_since == 0;
    pthread_mutex_unlock(&reporter->mutex);
    return takes;
}

void reporter_give_counts(Reporter *reporter, CountsReport *counts)
{
    pthread_mutex_lock(&reporter->mutex);
    counts_report_join(&reporter->counts, counts); /* with what was not written yet */
    pthread_cond_signal(&reporter->wake);
    pthread_mutex_unlock(&reporter->mutex);
}

Lsn reporter_written(Reporter *reporter)
{
    pthread_mutex_lock(&reporter->mutex);
    Lsn written = reporter->written;
    pthread_mutex_unlock(&reporter->mutex);
    return written;
}

void reporter_flush(Reporter *reporter, int milliseconds)
{
    struct timespec deadline = clock_after_ms(milliseconds);
    pthread_mutex_lock(&reporter->mutex);
    reporter->flushing = true;
    pthread_cond_signal(&reporter->wake);
    while (!reporter->ended &&
           (reporter->changed || reporter->counts.lanes != NULL || reporter->writing_since != 0) &&
           pthread_cond_timedwait(&reporter->wrote, &reporter->mutex, &deadline) == 0) {
    }
    reporter->flushing = false;
    pthread_mutex_unlock(&reporter->mutex);
}

static bool silent(const Reporter *reporter)
{
    return reporter->writing_since != 0 && reporter->options.timeout_s != 0 &&
           clock_seconds() - reporter->writing_since > reporter->options.timeout_s;
}

bool reporter_failed(Reporter *reporter, Error *error)
{
    pthread_mutex_lock(&reporter->mutex);
    bool failed = reporter->failure.code != ERROR_NONE;
    if (failed) {
        *error = reporter->failure;
    } else if (silent(reporter)) {
        failed = true;
        error_set(error, ERROR_CONNECTION, "the target has not answered for %d s",
                  reporter->options.timeout_s);
    }
    pthread_mutex_unlock(&reporter->mutex);
    return failed;
}

void reporter_stop(Reporter *reporter)
{
    if (reporter == NULL) {
        return;
    }
    struct timespec deadline = clock_after_ms(STOP_MS);
    pthread_mutex_lock(&reporter->mutex);
    reporter->stopping = true;
    pthread_cond_signal(&reporter->wake);
    while (!reporter->ended && pthread_cond_timedwait(&reporter->wrote, &reporter->mutex, &deadline) == 0) {
    }
    if (!reporter->ended) {
        shutdown(reporter->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&reporter->mutex);
    pthread_join(reporter->thread, NULL);
    reporter_free(reporter);
}
