/*
 * A worker has one connection to each end. For a job: claim it; on the source open a transaction with the shared snapshot;
 * on the target, in one transaction, hold the claim, join the snapshot, copy the job's tables, and write down what was
 * done. Whatever happens before that COMMIT leaves everything as it was, and the job free to be claimed again.
 *
 *     source   BEGIN, snapshot ──► lock, check ──► COPY TO ─────┐ … COMMIT
 *     target   claim ──► BEGIN, hold, join ──► clear ──► COPY FROM ──► index of the key ──► done ──► COMMIT
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "carry.h"
#include "clock.h"
#include "jobs.h"
#include "session.h"
#include "setback.h"
#include "standby.h"

#define PAUSE_MS 50
#define DEFINITION_PAUSES 10

/* How often a job is tried again that a standby's replay, or a deadlock, has ended. */
#define MOST_CONFLICTS 50

/* How long a table that somebody has locked is waited for before others have their turn. */
#define SOURCE_LOCK_TIMEOUT "5s"

typedef struct Worker {
    WorkerYard *yard;
    const CrewMember *member;
    Carrier carrier;   /* has the connections to both ends */
    Database *builder; /* NULL: has built nothing yet */
    JobsCursor cursor;
    int64_t locked;      /* the job that was told to wait for a lock last; 0: none */
    int conflicts;       /* that a job has met in a row */
    double locked_since; /* nothing but locked tables has been met since; 0: that is not so */
} Worker;

/* Begins on both ends; *held is false when somebody else has the job, *open when a later snapshot is published already. */
static int begin(Worker *worker, const Job *job, int *snapshot, bool *held, bool *open, Error *error)
{
    WorkerYard *yard = worker->yard;
    *held = *open = false;
    if (snapshots_adopt(yard->snapshots, worker->carrier.source, snapshot, error) != 0 ||
        database_execute(worker->carrier.target, error, "BEGIN", 0) != 0 ||
        jobs_hold(worker->carrier.target, job, held, error) != 0) {
        return -1;
    }
    if (*held && snapshots_join(worker->carrier.target, yard->copy->settings->migration, *snapshot, open,
                                error) != 0) {
        return -1;
    }
    return 0;
}

static int roll_back(Worker *worker, Error *error)
{
    return database_execute(worker->carrier.target, error, "ROLLBACK", 0) == 0
               ? database_execute(worker->carrier.source, error, "ROLLBACK", 0)
               : -1;
}

/* Until there is another snapshot than this one, or it may be taken. */
static int wait_for_later(Worker *worker, int snapshot, Error *error)
{
    while (!snapshots_pass(worker->yard->snapshots, snapshot)) {
        if (interrupted() || atomic_load(worker->member->stop)) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while a later snapshot is waited for");
        }
        clock_pause_ms(PAUSE_MS);
    }
    return 0;
}

/* The applier has to come so far. */
static int wait_for_definition(Worker *worker, Error *error)
{
    for (int i = 0; i < DEFINITION_PAUSES; i++) {
        if (interrupted() || atomic_load(worker->member->stop)) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while DDL was waited for");
        }
        clock_pause_ms(PAUSE_MS);
    }
    return 0;
}

/* One try; *again when it is to be tried once more. */
static int try_job(Worker *worker, const Job *job, bool *again, Error *error)
{
    int snapshot = 0;
    bool held, open;
    *again = false;
    worker->carrier.fit = TABLE_FITS;
    if (begin(worker, job, &snapshot, &held, &open, error) != 0) {
        return -1;
    }
    if (!held || !open) {
        *again = held;
        return roll_back(worker, error);
    }
    if (carry_job(&worker->carrier, job, snapshot, error) == 0) {
        return database_execute(worker->carrier.target, error, "COMMIT", 0);
    }
    TableFit fit = worker->carrier.fit;
    if (fit == TABLE_FITS) {
        return -1;
    }
    *error = (Error){0};
    *again = true;
    if (roll_back(worker, error) != 0 ||
        (fit == TABLE_DEFINED_OTHERWISE && wait_for_definition(worker, error) != 0)) {
        return -1;
    }
    return wait_for_later(worker, snapshot, error);
}

static int do_job(Worker *worker, const Job *job, Error *error)
{
    bool again = true;
    int status = 0;
    while (status == 0 && again) {
        status = try_job(worker, job, &again, error);
    }
    return status;
}

/* As well as that can be done: the connection may be what failed. */
static void give_back(Worker *worker, const Job *job, const Error *why)
{
    Error ignored;
    PGTransactionStatusType status = PQtransactionStatus(database_connection(worker->carrier.target));
    if ((status == PQTRANS_INERROR || status == PQTRANS_INTRANS) &&
        database_execute(worker->carrier.target, &ignored, "ROLLBACK", 0) == 0) {
        (void)!jobs_return(worker->carrier.target, job, why->message, &ignored);
    }
}

/* Several scans of a table at a time would else begin where another one is, and its rows come out of their order. */
static int open_source(const Worker *worker, Database **out, Error *error)
{
    const Copy *copy = worker->yard->copy;
    return session_open(standby_uri(copy), DATABASE_SOURCE, "copy", copy->migration.source_encoding, out,
                        error) == 0
               ? database_execute(
                     *out, error,
                     "SET synchronize_seqscans = off; SET lock_timeout = '" SOURCE_LOCK_TIMEOUT "'", 0)
               : -1;
}

static int open_target(const Worker *worker, Database **out, Error *error)
{
    const Copy *copy = worker->yard->copy;
    return worker_open_target(copy, SESSION_COPIES, copy->migration.source_encoding, out, error);
}

static int open_both(Worker *worker, Error *error)
{
    Carrier *carrier = &worker->carrier;
    if ((carrier->source == NULL && open_source(worker, &carrier->source, error) != 0) ||
        (carrier->target == NULL && open_target(worker, &carrier->target, error) != 0)) {
        return -1;
    }
    atomic_store(&worker->yard->watches[worker->member->number].session,
                 PQbackendPID(database_connection(carrier->target)));
    return 0;
}

/* Between two jobs. Where no other sessions are to be had, these serve on: a server without a free connection ends no copy. */
static void renew(Worker *worker)
{
    Carrier *carrier = &worker->carrier;
    Database *source = NULL, *target = NULL;
    Error ignored;
    if (carrier->known < SESSION_FULL) {
        return;
    }
    carrier->known = 0;
    if (open_source(worker, &source, &ignored) != 0 || open_target(worker, &target, &ignored) != 0) {
        database_close(source);
        database_close(target);
        return;
    }
    database_close(carrier->source);
    database_close(carrier->target);
    carrier->source = source;
    carrier->target = target;
}

/* Tells it once for each job, and goes on with the next one in the queue. */
static int pass_locked(Worker *worker, const Job *job, Error *error)
{
    double now = clock_seconds();
    worker->cursor.rank = job->rank + 1;
    worker->locked_since = worker->locked_since > 0 ? worker->locked_since : now;
    if (now - worker->locked_since > worker->carrier.wait.limit_seconds) {
        error_hint(error, "pg_locks and pg_stat_activity of the source say who has it locked");
        return error_context(error, "nothing else is left to copy for %d s",
                             worker->carrier.wait.limit_seconds);
    }
    if (worker->locked != job->id) {
        worker->locked = job->id;
        progress_warn(worker->yard->copy->progress, "%s: it is copied later", error->message);
    }
    return 0;
}

static void block_for_room(Worker *worker, const Error *error)
{
    if (brake_block(worker->yard->brake, worker->member->number)) {
        progress_warn(worker->yard->copy->progress,
                      "the copy waits until the target has room, and then goes on by itself: %s",
                      error->message);
    }
}

/* The job could not be done: 0 when it is to be tried again, later, and then error is cleared. */
static int set_back(Worker *worker, const Job *job, Error *error)
{
    Setback setback = setback_of(error);
    give_back(worker, job, error);
    if (setback == SETBACK_NONE || interrupted() || atomic_load(worker->member->stop)) {
        return -1;
    }
    if (setback == SETBACK_RECOVERY && ++worker->conflicts > MOST_CONFLICTS) {
        return error_context(error, "%d times in a row", worker->conflicts);
    }
    if (setback == SETBACK_LOCKED && pass_locked(worker, job, error) != 0) {
        return -1;
    }
    if (setback == SETBACK_NO_ROOM) {
        block_for_room(worker, error);
    }
    progress_job(worker->yard->copy->progress, worker->member->number, NULL, 0);
    database_close(worker->carrier.source);
    worker->carrier.source = NULL;
    if (PQtransactionStatus(database_connection(worker->carrier.target)) != PQTRANS_IDLE) {
        database_close(worker->carrier.target);
        worker->carrier.target = NULL;
    }
    *error = (Error){0};
    return open_both(worker, error);
}

static int do_or_set_back(Worker *worker, const Job *job, Error *error)
{
    WorkerYard *yard = worker->yard;
    atomic_fetch_add(&yard->busy, 1);
    int status = do_job(worker, job, error);
    if (status == 0 && job->source_bytes >= LARGE_BYTES) {
        atomic_store(&yard->built_next, true);
    }
    atomic_fetch_sub(&yard->busy, 1);
    if (status != 0) {
        return set_back(worker, job, error);
    }
    worker->locked_since = 0;
    worker->conflicts = 0;
    brake_release(yard->brake, worker->member->number);
    return 0;
}

/* An index of a table that has all its rows, if there is one to build. */
static int build_early(Worker *worker, bool *built, Error *error)
{
    WorkerYard *yard = worker->yard;
    *built = false;
    if (yard->road == NULL || !atomic_exchange(&yard->built_next, false)) {
        return 0;
    }
    SchemaRoad road = *yard->road;
    road.options.beside = yard->large || snapshots_newest(yard->snapshots) > 1;
    if (worker->builder == NULL && schema_open_builder(&road, &worker->builder, error) != 0) {
        return -1;
    }
    atomic_store(&yard->built_next, true); /* others look for one of their own meanwhile */
    atomic_fetch_add(&yard->building, 1);
    int status = schema_spare(&road.options, worker->builder, yard_spare(yard), false, error);
    if (status == 0) {
        status = schema_build_early(&road, worker->builder, worker->member->number, worker->member->stop,
                                    built, error);
    }
    atomic_fetch_sub(&yard->building, 1);
    if (status == 0 && !*built) {
        atomic_store(&yard->built_next, false);
    }
    return status;
}

/* Does what is next; *left when there is nothing to do, now or later. */
static int take_turn(Worker *worker, bool *left, Error *error)
{
    WorkerYard *yard = worker->yard;
    bool found = false;
    Job job;
    *left = false;
    renew(worker);
    if (open_both(worker, error) != 0 || build_early(worker, &found, error) != 0) {
        return -1;
    }
    if (found) {
        return 0;
    }
    if (jobs_claim(worker->carrier.target, yard->copy->settings->migration, &worker->cursor, &job, &found,
                   error) != 0) {
        return -1;
    }
    if (found) {
        return do_or_set_back(worker, &job, error);
    }
    /* Whoever is at a table may finish it, and its indexes are then for all to build. */
    if (yard->road != NULL && (atomic_load(&yard->busy) > 0 || atomic_load(&yard->built_next))) {
        clock_pause_ms(PAUSE_MS);
        return 0;
    }
    brake_drained(yard->brake, true);
    *left = true;
    return 0;
}

static int drain_queue(Worker *worker, Error *error)
{
    for (bool left = false; !left && !atomic_load(worker->member->stop);) {
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        BrakeAnswer answer = brake_wait(worker->yard->brake, worker->member->number);
        if (answer == BRAKE_END) {
            return 0;
        }
        if (answer == BRAKE_GO && take_turn(worker, &left, error) != 0) {
            return -1;
        }
    }
    return 0;
}

int worker_open_target(const Copy *copy, SessionKind kind, const char *encoding, Database **out, Error *error)
{
    char purpose[96];
    snprintf(purpose, sizeof(purpose), "%s %s", copy->options->join ? "join" : "copy",
             copy->settings->migration);
    if (session_open_as(kind, copy->settings->target, DATABASE_TARGET, purpose, encoding, out, error) != 0) {
        return -1;
    }
    if (schema_set_resources(&copy->options->schema, *out, error) == 0 &&
        database_execute(*out, error, "SET session_replication_role = replica", 0) == 0) {
        return 0;
    }
    database_close(*out);
    *out = NULL;
    return -1;
}

int worker_copy(const CrewMember *member, Error *error)
{
    WorkerYard *yard = member->context;
    const Copy *copy = yard->copy;
    Worker worker = {.yard = yard,
                     .member = member,
                     .carrier = {.yard = yard,
                                 .number = member->number,
                                 .oids = oids_new(),
                                 .wait = {.stop = member->stop,
                                          .limit_seconds = copy->options->stall_timeout,
                                          .what = "copying rows"}}};
    int status = drain_queue(&worker, error);
    brake_release(yard->brake, member->number);
    progress_job(copy->progress, member->number, NULL, 0);
    oids_free(worker.carrier.oids);
    database_close(worker.carrier.source);
    database_close(worker.carrier.target);
    database_close(worker.builder);
    return status;
}
