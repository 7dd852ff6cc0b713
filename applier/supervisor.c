/*
 *                      ┌───────────── 0.1 s, 0.2 s … 10 s ──────────────┐
 *                      ▼                                                │ may pass: server gone, deadlock, shutdown
 *     lock, report ► load migration ► pipeline_run ──────────────► how did it end?
 *     (Reporter)                                                        │ stop asked, --until reached ► stopped
 *                                                                       └ anything else ► failed
 *
 * What is known of relations (Registry, Catalog) is kept over runs, too, and given up with the lock: while someone else may
 * have it, the target's tables and what is noted of them may change.
 *
 * The reporter keeps the migration's lock over runs, so nobody takes the migration away while a server is down. When
 * its own connection is lost it is made anew with the next run. The server may need long to notice that the old one is
 * gone, so its session is ended, and being refused the lock by it is no reason to give up at once. By another one it is:
 * that is the applier now, and has the lanes (state/lanes.c).
 *
 * A start that cannot reach a server, or a target that is in recovery, fails after --start-limit, and at once when the host is
 * unknown or the server refuses user, password or database: most likely the URI is wrong. Once a stream has been open, losing
 * a server is waited out. The backoff starts again after each run that moved the low-water mark.
 *
 * Some errors do not pass by waiting (retry.c): they end it when nothing was applied between so many of them. When it is the
 * target's locks that are used up, batches are made smaller each time, down to one table.
 *
 * A migration that has been switched has no slot any more: that ends the applier as asked, so that a service that starts it again
 * on failure does not do so for ever.
 *
 * What is asked before the stream is open may meet someone's lock: it ends with a stop, and after START_MS it is tried again.
 *
 * Before lanes are read, the workers that an earlier applier, or an earlier run, may have left on the target must be
 * gone: a worker's server process ends its transaction even when nobody listens any more, and lanes that are read
 * before it does are too old.
 */
#include "supervisor.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "encoding.h"
#include "pipeline.h"
#include "retry.h"

#define FIRST_BACKOFF_MS 100
#define LAST_BACKOFF_MS 10000
#define OLD_LOCK_SECONDS 90
#define LESS_LOCKS 4 /* divides what a batch may take, when there was no lock left */
#define OLD_WORKERS_MS 60000
#define START_MS 120000 /* for what the target is asked before the stream is open */

typedef struct Supervisor {
    const ApplierOptions *options;
    ApplierOptions
        speaking; /* the same, with the encoding of the source's names for what is said and asked about tables */
    char encoding[32]; /* of the source */
    Stop *stop;
    Reporter *reporter;
    Registry *registry; /* what is known of relations, while the lock is held */
    Catalog *catalog;
    PipelineTotals totals;
    int locked_by; /* our process on the target that had the lock last, or 0: it may still have it, unknown to it
                          that its connection is lost */
    int read_by;        /* the same on the source, and the slot */
    size_t batch_locks; /* that a batch may take on the target; 0: not known yet */
    Retry retry;
    int64_t created_at; /* of the migration; 0: not known yet */
    bool over; /* the migration has been switched, or more: what ends the stream then is no failure */
    bool streamed_before;
    bool copying; /* in the last run: what it knew of relations is not what the next one has to know */
    bool again;   /* the run that ended is to be followed by another at once */
    int backoff_ms;
    double failing_since; /* clock_seconds; 0: not failing */
} Supervisor;

static void publish(Supervisor *supervisor, const char *state, const Error *error)
{
    ReporterView view;
    totals_view(&supervisor->totals, state, &(PipelineLoad){0}, &view);
    if (error != NULL) {
        view.error = *error;
    }
    if (supervisor->reporter != NULL) {
        reporter_publish(supervisor->reporter, &view, REPORT_SOON);
    }
}

static int check_phase(const Migration *migration, Error *error)
{
    if (migration->phase <= PHASE_SWITCHED) {
        return 0;
    }
    error_set(error, ERROR_STATE, "migration \"%s\" is in phase \"%s\"", migration->name,
              state_phase_name(migration->phase));
    return error_hint(error, "It is over: there is nothing to apply.");
}

/*
 * What this process knows, how far the target is above all, is true of the migration that it began with. Servers that were made
 * anew where others had been, for a rehearsal, may have another one of that name.
 */
static int check_same(Supervisor *supervisor, const Migration *migration, Error *error)
{
    if (supervisor->created_at == 0) {
        supervisor->created_at = migration->created_at;
    }
    if (supervisor->created_at == migration->created_at) {
        return 0;
    }
    error_set(error, ERROR_STATE,
              "migration \"%s\" is not the one that this applier was started for: it was begun anew",
              migration->name);
    return error_hint(error, "Start it again, when it is to apply this one.");
}

static int load_migration(Supervisor *supervisor, Database *target, Migration *migration, Error *error)
{
    bool exists;
    if (state_exists(target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "the target has no migration: there is no schema penstock");
        return error_hint(error, "Check --target, and run penstock copy first.");
    }
    if (state_load(target, supervisor->options->migration, migration, error) != 0) {
        return -1;
    }
    log_stands(&supervisor->options->log, state_phase_name(migration->phase), 0);
    supervisor->over = migration->phase >= PHASE_SWITCHED;
    return check_phase(migration, error) == 0 ? check_same(supervisor, migration, error) : -1;
}

/* The lock is refused: an earlier session of ours that is about to end may be tried again for a while, another applier not. */
static int judge_holder(const Supervisor *supervisor, Database *target, Error *error)
{
    bool own = false;
    Error unknown;
    if (supervisor->locked_by != 0 && clock_seconds() - supervisor->failing_since < OLD_LOCK_SECONDS &&
        state_is_holder(target, supervisor->options->migration, "applier", supervisor->locked_by, &own,
                        &unknown) != 0) {
        *error = unknown;
    }
    error->code = own ? ERROR_TRANSIENT : error->code;
    return -1;
}

static void forget_relations(Supervisor *supervisor)
{
    catalog_free(supervisor->catalog);
    registry_free(supervisor->registry);
    supervisor->catalog = NULL;
    supervisor->registry = NULL;
}

static int start_reporter(Supervisor *supervisor, Database *target, Error *error)
{
    if (supervisor->reporter != NULL && reporter_failed(supervisor->reporter, error)) {
        reporter_stop(supervisor->reporter);
        supervisor->reporter = NULL;
    }
    if (supervisor->reporter != NULL) {
        return 0;
    }
    const ApplierOptions *options = supervisor->options;
    if (supervisor->locked_by != 0 &&
        state_end_holder(target, options->migration, "applier", supervisor->locked_by, error) != 0) {
        return -1;
    }
    ReporterOptions reporter = {.target = options->target,
                                .migration = options->migration,
                                .workers = options->workers,
                                .begins = supervisor->locked_by == 0,
                                .timeout_s = options->timeout_s,
                                .log = &options->log};
    if (reporter_start(&reporter, &supervisor->reporter, error) != 0) {
        return error->code == ERROR_STATE ? judge_holder(supervisor, target, error) : -1;
    }
    supervisor->locked_by = reporter_session(supervisor->reporter);
    forget_relations(supervisor);
    supervisor->registry = registry_new();
    supervisor->catalog = catalog_new();
    return 0;
}

/* --skip-lsn must name the transaction that the applier stopped at; asked before the first report covers that up. */
static int check_skip(const Supervisor *supervisor, Database *target, const char *migration, Error *error)
{
    ApplierStatus status;
    char asked[LSN_TEXT_SIZE], blocked[LSN_TEXT_SIZE];
    Lsn skip = supervisor->options->policies.skip_lsn;
    if (skip == LSN_INVALID || supervisor->locked_by != 0) {
        return 0;
    }
    if (state_read_applier(target, migration, &status, error) != 0) {
        return -1;
    }
    if (status.blocked_lsn == skip) {
        return 0;
    }
    lsn_format(skip, asked);
    if (status.blocked_lsn == LSN_INVALID) {
        error_set(error, ERROR_STATE, "--skip-lsn %s: the applier did not stop at any transaction", asked);
        return error_hint(error,
                          "Start it without --skip-lsn; an error names the transaction that it stops at.");
    }
    error_set(error, ERROR_STATE, "--skip-lsn %s: the transaction that the applier stopped at is %s", asked,
              lsn_format(status.blocked_lsn, blocked));
    return error_hint(error, "Its error was: %s", status.message);
}

/* While tables are copied, each run looks anew at what is copied by then. */
static void renew_catalog(Supervisor *supervisor, const Migration *migration)
{
    bool copying = migration->phase < PHASE_COPIED;
    if (copying || supervisor->copying) {
        catalog_free(supervisor->catalog);
        supervisor->catalog = catalog_new();
    }
    supervisor->copying = copying;
}

static int run_on(Supervisor *supervisor, Database *target, Error *error)
{
    Migration migration;
    if (load_migration(supervisor, target, &migration, error) != 0 ||
        check_skip(supervisor, target, migration.name, error) != 0 ||
        start_reporter(supervisor, target, error) != 0) {
        return -1;
    }
    renew_catalog(supervisor, &migration);
    publish(supervisor, "starting", NULL);
    if (state_wait_workers(target, migration.name, OLD_WORKERS_MS, error) != 0) {
        return -1;
    }
    snprintf(supervisor->encoding, sizeof supervisor->encoding, "%s", migration.source_encoding);
    PipelineOptions options = {
        .applier = &supervisor->speaking,
        .migration = &migration,
        .target = target,
        .registry = supervisor->registry,
        .catalog = supervisor->catalog,
        .batch_locks = &supervisor->batch_locks,
        .reporter = supervisor->reporter,
        .stop = supervisor->stop,
        .again = &supervisor->again,
        .read_by = &supervisor->read_by,
    };
    Lsn before = supervisor->totals.low_water;
    uint64_t changes = supervisor->totals.changes;
    bool streamed = false;
    supervisor->again = false;
    int status = pipeline_run(&options, &supervisor->totals, &streamed, error);
    if (status != 0) {
        encoding_error_to_utf8(error, supervisor->encoding);
    }
    if (status != 0 && error->code == ERROR_STATE && migration.final_lsn != LSN_INVALID) {
        /* The cutover drops the slot before clients write to the target, and says so in the phase a moment later. */
        error->code = supervisor->over ? ERROR_STATE : ERROR_TRANSIENT;
        error_hint(error,
                   "A cutover has ended the stream; penstock status says how it stands. After it there "
                   "is nothing more to apply.");
    }
    supervisor->streamed_before |= streamed;
    if (supervisor->totals.changes > changes) {
        retry_progress(&supervisor->retry);
    }
    if (status != 0 && strcmp(error->sqlstate, "53200") == 0) {
        supervisor->batch_locks =
            supervisor->batch_locks > LESS_LOCKS ? supervisor->batch_locks / LESS_LOCKS : 1;
    }
    if (supervisor->totals.low_water > before) {
        supervisor->backoff_ms = FIRST_BACKOFF_MS;
        supervisor->failing_since = 0;
    }
    return status;
}

static int attempt(Supervisor *supervisor, Error *error)
{
    Database *target;
    QueryLimits limits = {.deadline = clock_ms() + START_MS, .stop = stop_pending};
    int status = database_connect_within(supervisor->options->target, DATABASE_TARGET, "applier start",
                                         limits, &target, error);
    if (status == 0) {
        status = run_on(supervisor, target, error);
        database_close(target);
    }
    if (status != 0 && error->code == ERROR_LIMIT) {
        error->code = ERROR_TRANSIENT;
    }
    return status;
}

/* Is it worth another try? Keeps account of how long it has been failing. */
static bool may_retry(Supervisor *supervisor, Error *error)
{
    double now = clock_seconds();
    int limit = supervisor->options->retry_limit_s;
    if (supervisor->failing_since == 0) {
        supervisor->failing_since = now;
    }
    bool unreachable = error->code == ERROR_CONNECTION || strcmp(error->sqlstate, "25006") == 0;
    if (unreachable && !supervisor->streamed_before) {
        bool unknown = strstr(error->message, "could not translate host name") != NULL;
        return !unknown && now - supervisor->failing_since < supervisor->options->start_limit_s;
    }
    return error_is_retryable(error) && retry_again(&supervisor->retry, error) &&
           (limit == 0 || now - supervisor->failing_since < limit);
}

/* Says why, and waits; false when asked to stop meanwhile. */
static bool wait_for_next(Supervisor *supervisor, const Error *error)
{
    log_handled(&supervisor->options->log, error, "trying again in %.1f s", supervisor->backoff_ms / 1000.0);
    publish(supervisor, "waiting", error);
    bool asked = stop_wait(supervisor->stop, supervisor->backoff_ms);
    supervisor->backoff_ms *= 2;
    if (supervisor->backoff_ms > LAST_BACKOFF_MS) {
        supervisor->backoff_ms = LAST_BACKOFF_MS;
    }
    return !asked;
}

int supervise(const ApplierOptions *options, Stop *stop, Error *error)
{
    Supervisor supervisor = {
        .options = options, .speaking = *options, .stop = stop, .backoff_ms = FIRST_BACKOFF_MS};
    supervisor.speaking.log.encoding = supervisor.encoding;
    supervisor.speaking.policies.encoding = supervisor.encoding;
    int status;
    for (bool again = true; again;) {
        *error = (Error){0};
        status = attempt(&supervisor, error);
        if (status != 0 && stop_asked(stop) &&
            (error_is_retryable(error) || error->code == ERROR_INTERRUPTED)) {
            status = 0;
        }
        if (status == 0 && supervisor.again && !stop_asked(stop)) {
            continue;
        }
        again = status != 0 && may_retry(&supervisor, error);
        if (again && !wait_for_next(&supervisor, error)) {
            again = false;
            status = 0;
        }
    }
    if (status != 0 && supervisor.over && error->code == ERROR_STATE && options->until == LSN_INVALID) {
        log_line(&options->log, LOG_INFO, "a cutover has ended the stream: there is nothing more to apply");
        status = 0;
    } else if (status == 0) {
        log_line(&options->log, LOG_INFO, "stopped");
    } else {
        log_error(&options->log, error);
    }
    publish(&supervisor, status == 0 ? "stopped" : "failed", status == 0 ? NULL : error);
    reporter_stop(supervisor.reporter);
    forget_relations(&supervisor);
    totals_free(&supervisor.totals);
    return status;
}
