/*
 * A worker has one connection to each end. For a table: claim it; on the source open a transaction with the
 * shared snapshot; on the target, in one transaction, hold the claim, empty the table, copy, and write rows
 * and LSN to the queue. Whatever happens before that COMMIT leaves the table as it was, and free to be
 * claimed again.
 *
 * Both sessions use the source database's encoding, so that text passes unconverted up to the target's own
 * storage. On the target session_replication_role is replica: no trigger fires, and defaults and rules play
 * no part in COPY.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "queue.h"
#include "relay.h"
#include "session.h"
#include "exported.h"
#include "table.h"

typedef struct Yard {
    Copy *copy;
    Snapshots *snapshots;
    atomic_bool stop;
    /* For workers_run_on_target. */
    char *const *statements;
    int statement_count;
    atomic_int next;
    const char *what;
} Yard;

typedef struct Worker {
    Yard *yard;
    const CrewMember *member;
    Database *source, *target;
} Worker;

static int begin_target(Worker *worker, const Claim *claim, bool *held, Error *error)
{
    if (database_execute(worker->target, error, "BEGIN", 0) != 0) {
        return -1;
    }
    return queue_hold(worker->target, worker->yard->copy->settings->migration, claim, held, error);
}

/* Sends one statement that the wait may end, throwing its result away. */
static int run(Database *database, const char *sql, const SessionWait *wait, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(database, sql, wait, &result, error);
    PQclear(result);
    return status;
}

static int move_table(Worker *worker, const TableCopy *table, const SessionWait *wait, RelayCount *count,
                      Error *error)
{
    if (run(worker->target, table->clear.data, wait, error) != 0 ||
        database_execute(worker->target, error, "SET LOCAL search_path TO DEFAULT", 0) !=
            0 || /* for CHECKs */
        run(worker->target, table->in.data, wait, error) != 0 ||
        run(worker->source, table->out.data, wait, error) != 0) {
        return -1;
    }
    return relay_rows(worker->source, worker->target, wait,
                      progress_moving(worker->yard->copy->progress, worker->member->number), count, error);
}

static int copy_held(Worker *worker, const Claim *claim, Lsn lsn, RelayCount *count, Error *error)
{
    const Copy *copy = worker->yard->copy;
    SessionWait wait = {
        .stop = worker->member->stop, .limit_seconds = copy->options->stall_timeout, .what = "copying rows"};
    TableCopy table = {0};
    int status =
        table_copy_describe(worker->source, worker->target, claim->schema, claim->table, &table, error);
    if (status == 0) {
        status = move_table(worker, &table, &wait, count, error);
    }
    table_copy_free(&table);
    if (status == 0) {
        status = database_execute(worker->target, error, "SET LOCAL search_path = pg_catalog", 0);
    }
    if (status == 0) {
        status = queue_copied(worker->target, copy->settings->migration, claim, lsn, count->rows,
                              count->bytes, error);
    }
    return status == 0 ? database_execute(worker->target, error, "COMMIT", 0) : -1;
}

static int copy_claim(Worker *worker, const Claim *claim, Error *error)
{
    Progress *progress = worker->yard->copy->progress;
    Lsn lsn = LSN_INVALID;
    bool held = false;
    RelayCount count = {0};
    char name[520];
    snprintf(name, sizeof(name), "%s.%s", claim->schema, claim->table);
    progress_job(progress, worker->member->number, name, claim->source_bytes);
    int status = snapshots_adopt(worker->yard->snapshots, worker->source, &lsn, error);
    if (status == 0) {
        status = begin_target(worker, claim, &held, error);
    }
    if (status == 0 && held) {
        status = copy_held(worker, claim, lsn, &count, error);
    } else if (status == 0) {
        status = database_execute(worker->target, error, "ROLLBACK", 0);
    }
    if (status == 0) {
        status = database_execute(worker->source, error, "COMMIT", 0);
    }
    if (status == 0 && held) {
        progress_table_done(progress, worker->member->number, count.rows);
    }
    return status == 0 ? 0 : error_context(error, "copying table %s", name);
}

static int open_target(const Yard *yard, SessionKind kind, const char *encoding, Database **out, Error *error)
{
    const Copy *copy = yard->copy;
    char purpose[96];
    snprintf(purpose, sizeof(purpose), "copy %s", copy->settings->migration);
    if (session_open_as(kind, copy->settings->target, DATABASE_TARGET, purpose, encoding, out, error) != 0) {
        return -1;
    }
    return database_execute(*out, error, "SET session_replication_role = replica", 0);
}

static int drain_queue(Worker *worker, Error *error)
{
    const Copy *copy = worker->yard->copy;
    for (;;) {
        Claim claim;
        bool found = false;
        if (atomic_load(worker->member->stop)) {
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (queue_claim(worker->target, copy->settings->migration, &claim, &found, error) != 0) {
            return -1;
        }
        if (!found) {
            return 0;
        }
        if (copy_claim(worker, &claim, error) != 0) {
            return -1;
        }
    }
}

static int copy_tables(const CrewMember *member, Error *error)
{
    Worker worker = {.yard = member->context, .member = member};
    const Copy *copy = worker.yard->copy;
    int status = session_open(copy->settings->source, DATABASE_SOURCE, "copy",
                              copy->migration.source_encoding, &worker.source, error);
    if (status == 0) {
        status =
            open_target(worker.yard, SESSION_COPIES, copy->migration.source_encoding, &worker.target, error);
    }
    if (status == 0) {
        status = drain_queue(&worker, error);
    }
    progress_job(copy->progress, member->number, NULL, 0);
    database_close(worker.source);
    database_close(worker.target);
    return status;
}

static void idle(void *context)
{
    Yard *yard = context;
    progress_tick(yard->copy->progress);
    if (yard->snapshots != NULL) {
        snapshots_expire(yard->snapshots);
    }
}

int workers_copy_tables(Copy *copy, Error *error)
{
    Yard yard = {.copy = copy};
    yard.snapshots = snapshots_new(copy, &yard.stop);
    int status = crew_run(copy->options->jobs, copy_tables, idle, &yard, &yard.stop, error);
    snapshots_free(yard.snapshots);
    return status;
}

static int run_statements(const CrewMember *member, Error *error)
{
    Yard *yard = member->context;
    Database *target = NULL;
    SessionWait wait = {.stop = member->stop, .limit_seconds = 24 * 3600, .what = yard->what};
    int status = open_target(yard, SESSION_BUILDS, NULL, &target, error);
    while (status == 0) {
        int number = atomic_fetch_add(&yard->next, 1);
        if (number >= yard->statement_count || atomic_load(member->stop)) {
            break;
        }
        progress_job(yard->copy->progress, member->number, yard->statements[number], 0);
        status = run(target, yard->statements[number], &wait, error);
        /* Of class 08 are also foreign servers that do not answer, while our own connection stands. */
        if (status != 0 && error->sqlstate[0] != '\0' && strcmp(error->sqlstate, "57014") != 0 &&
            PQstatus(database_connection(target)) == CONNECTION_OK) {
            progress_warn(yard->copy->progress, "%s: %s", yard->statements[number], error->message);
            *error = (Error){0};
            status = 0;
        }
    }
    progress_job(yard->copy->progress, member->number, NULL, 0);
    database_close(target);
    return status;
}

int workers_run_on_target(Copy *copy, char *const *statements, int count, const char *what, Error *error)
{
    Yard yard = {.copy = copy, .statements = statements, .statement_count = count, .what = what};
    return crew_run(copy->options->jobs, run_statements, idle, &yard, &yard.stop, error);
}
