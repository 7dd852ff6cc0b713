/*
 * A worker has one connection to each end. For a job: claim it; on the source open a transaction with the shared snapshot;
 * on the target, in one transaction, hold the claim, join the snapshot, copy the job's tables, and write down what was
 * done. Whatever happens before that COMMIT leaves everything as it was, and the job free to be claimed again.
 *
 *     source   BEGIN, snapshot ──► lock, check ──► COPY TO ─────┐ … COMMIT
 *     target   claim ──► BEGIN, hold, join ──► clear ──► COPY FROM ──► index of the key ──► done ──► COMMIT
 *
 * TRUNCATE, and what rewrites a table, is not undone for a snapshot that was taken before: a table that this befell is read
 * under a later one.
 *
 * Both sessions use the source database's encoding, so that text passes unconverted up to the target's own storage. On the
 * target session_replication_role is replica: no trigger fires, and defaults and rules play no part in COPY. The source's
 * transaction ends as soon as its rows have been read: it holds back vacuum there.
 */
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>

#include "bent.h"
#include "clock.h"
#include "jobs.h"
#include "session.h"
#include "setback.h"
#include "standby.h"
#include "table.h"
#include "text.h"

#define PAUSE_MS 50
#define DEFINITION_PAUSES 10
#define MOST_COLUMNS 1600 /* MaxHeapAttributeNumber of the server */

/* Indexes of tables from this size on, or of which a part is, are built while others are copied. */
#define LARGE_BYTES (8 << 20)

/* How often a job is tried again that a standby's replay, or a deadlock, has ended. */
#define MOST_CONFLICTS 50

/* How long a table that somebody has locked is waited for before others have their turn. */
#define SOURCE_LOCK_TIMEOUT "5s"

typedef struct Worker {
    WorkerYard *yard;
    const CrewMember *member;
    Database *source, *target;
    Database *builder; /* NULL: has built nothing yet */
    JobsCursor cursor;
    TableFit fit;        /* of the last table: whether it can be read under the snapshot */
    int64_t locked;      /* the job that was told to wait for a lock last; 0: none */
    int conflicts;       /* that a job has met in a row */
    double locked_since; /* nothing but locked tables has been met since; 0: that is not so */
    Oids *oids;
    SessionWait wait;
} Worker;

/* The columns of jobs_relations. */
enum {
    RELATION,
    SCHEMA,
    TABLE,
    COLUMNS,
    IN_BINARY,
    CONDITION,
    KEY_SQL,
    PART_COLUMN,
    SOURCE_BYTES,
    DEFINITION,
    ROUTE_SCHEMA,
    ROUTE_TABLE,
    COLUMN_TYPES,
    PART_TYPE,
    PART_SCAN
};

/* Sends one statement that the wait may end, throwing its result away. */
static int run(Worker *worker, Database *database, const char *sql, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(database, sql, &worker->wait, &result, error);
    PQclear(result);
    return status;
}

/* Types of users have other OIDs on the target. types: as an array of OIDs reads, or NULL. *oids is NULL when no row has one. */
static int load_types(Worker *worker, const char *types, const Oids **oids, Error *error)
{
    uint32_t list[MOST_COLUMNS];
    size_t count = 0;
    bool needed = false;
    *oids = NULL;
    for (const char *at = types; at != NULL && *at != '}' && *at != '\0' && count < MOST_COLUMNS;) {
        char *end;
        list[count++] = (uint32_t)strtoul(at + 1, &end, 10);
        at = end;
    }
    if (count == 0 ||
        oids_load(worker->oids, worker->source, worker->target, list, count, &needed, error) != 0) {
        return count == 0 ? 0 : -1;
    }
    *oids = needed ? worker->oids : NULL;
    return 0;
}

static int move_rows(Worker *worker, const TableCopy *table, const Oids *oids, RelayCount *count,
                     Error *error)
{
    /* What looks at the rows as they come in, a domain's CHECK for instance, has the path that the database's sessions have. */
    static const char theirs[] = "SET LOCAL search_path TO DEFAULT",
                      ours[] = "SET LOCAL search_path = pg_catalog";
    if ((table->clear.data != NULL && run(worker, worker->target, table->clear.data, error) != 0) ||
        run(worker, worker->target, theirs, error) != 0 ||
        run(worker, worker->target, table->in.data, error) != 0 ||
        run(worker, worker->source, table->out.data, error) != 0) {
        return -1;
    }
    RelayWatch *watch = &worker->yard->watches[worker->member->number];
    const RelayRoute route = {.wait = &worker->wait,
                              .moving = progress_moving(worker->yard->copy->progress, worker->member->number),
                              .watch = watch,
                              .brake = worker->yard->brake,
                              .oids = oids};
    atomic_fetch_add(&watch->number, 1);
    atomic_store(&watch->pid, PQbackendPID(database_connection(worker->target)));
    int status = relay_rows(worker->source, worker->target, &route, count, error);
    atomic_store(&watch->pid, 0);
    return status == 0 ? run(worker, worker->target, ours, error) : -1;
}

/* A range of keys is read by their index where rows lie in its order: that is what it was made for. */
static int choose_plan(Worker *worker, const Job *job, const PGresult *tables, Error *error)
{
    bool by_index = job->kind == JOB_PART && PQgetvalue(tables, 0, PART_SCAN)[0] != 't';
    return !by_index
               ? 0
               : database_execute(worker->source, error,
                                  "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off", 0);
}

static int make_key(Worker *worker, const Job *job, const PGresult *tables, int row, Error *error)
{
    return job->kind == JOB_PART || PQgetisnull(tables, row, KEY_SQL)
               ? 0
               : worker_make_key(worker->target, PQgetvalue(tables, row, RELATION),
                                 PQgetvalue(tables, row, KEY_SQL), &worker->wait, error);
}

/* The stream brings the change to the target; while tables are copied again, nothing applies it. */
static int refuse_definition(Worker *worker, Error *error)
{
    error_set(error, ERROR_TRANSIENT, "it is defined in another way at the source than on the target by now");
    if (worker->yard->copy->again) {
        worker->fit = TABLE_FITS;
        error->code = ERROR_STATE;
        error_hint(error, "Start penstock follow, which brings the change, wait until it has caught up, stop "
                          "it, and run this again.");
    }
    return -1;
}

static int copy_table(Worker *worker, const Job *job, const PGresult *tables, int row, RelayCount *count,
                      Error *error)
{
    bool part = job->kind == JOB_PART;
    TableShape shape = {.schema = PQgetvalue(tables, row, SCHEMA),
                        .table = PQgetvalue(tables, row, TABLE),
                        .columns = PQgetvalue(tables, row, COLUMNS),
                        .binary = PQgetvalue(tables, row, IN_BINARY)[0] == 't',
                        .condition = PQgetvalue(tables, row, CONDITION),
                        .part_column = part ? PQgetvalue(tables, row, PART_COLUMN) : NULL,
                        .part_type = part ? PQgetvalue(tables, row, PART_TYPE) : NULL,
                        .first_key = job->first_key,
                        .last_key = job->last_key,
                        .anew = job->anew};
    TableCopy table = {0};
    bool routed = !PQgetisnull(tables, row, ROUTE_TABLE);
    if (routed) {
        shape.route_schema = PQgetvalue(tables, row, ROUTE_SCHEMA);
        shape.route_table = PQgetvalue(tables, row, ROUTE_TABLE);
        shape.others_first = row > 0;
    }
    if (worker->yard->copy->again &&
        table_is_referenced(worker->target, routed ? shape.route_schema : shape.schema,
                            routed ? shape.route_table : shape.table, &shape.referenced, error) != 0) {
        return -1;
    }
    table_copy_build(&shape, &table);
    const char *definition = copy_captures(worker->yard->copy) && !PQgetisnull(tables, row, DEFINITION)
                                 ? PQgetvalue(tables, row, DEFINITION)
                                 : NULL;
    int status = table_check(worker->source, shape.schema, shape.table, shape.columns, definition,
                             &worker->fit, error);
    if (status == 0 && worker->fit == TABLE_STALE) {
        status = error_set(error, ERROR_TRANSIENT, "it was truncated or rewritten after the snapshot");
    } else if (status == 0 && worker->fit == TABLE_DEFINED_OTHERWISE) {
        status = refuse_definition(worker, error);
    } else if (status == 0) {
        const Oids *oids = NULL;
        const char *types = shape.binary && !PQgetisnull(tables, row, COLUMN_TYPES)
                                ? PQgetvalue(tables, row, COLUMN_TYPES)
                                : NULL;
        status =
            load_types(worker, types, &oids, error) == 0 ? move_rows(worker, &table, oids, count, error) : -1;
    }
    table_copy_free(&table);
    return status;
}

static int copy_and_note(Worker *worker, const Job *job, const PGresult *tables, int row, int snapshot,
                         RelayCount *all, Error *error)
{
    Progress *progress = worker->yard->copy->progress;
    RelayCount count = {0};
    char name[300];
    snprintf(name, sizeof(name), "%.140s.%.140s%s", PQgetvalue(tables, row, SCHEMA),
             PQgetvalue(tables, row, TABLE), job->kind == JOB_PART ? " (a part)" : "");
    int64_t bytes =
        job->kind == JOB_PART ? job->source_bytes : strtoll(PQgetvalue(tables, row, SOURCE_BYTES), NULL, 10);
    progress_job(progress, worker->member->number, name, bytes);
    int status = copy_table(worker, job, tables, row, &count, error);
    if (status == 0 && row == PQntuples(tables) - 1) {
        /* Behind the locks that copying takes: nobody changes a definition any more. */
        status = bent_check(worker->source, worker->target, tables,
                            (const int[]){SCHEMA, TABLE, ROUTE_SCHEMA, ROUTE_TABLE},
                            &worker->yard->copy->options->lossy, error);
    }
    if (status == 0 && row == PQntuples(tables) - 1) {
        status = database_execute(worker->source, error, "COMMIT", 0);
    }
    if (status == 0 && PQgetisnull(tables, row, ROUTE_TABLE)) {
        status = make_key(worker, job, tables, row, error);
    }
    if (status == 0 && job->kind != JOB_PART) {
        status =
            jobs_table_copied(worker->target, worker->yard->copy->settings->migration,
                              PQgetvalue(tables, row, RELATION), snapshot, count.rows, count.bytes, error);
    }
    if (status != 0) {
        return error_context(error, "copying table %s", name);
    }
    progress_table_done(progress, worker->member->number, job->kind != JOB_PART, count.rows);
    all->rows += count.rows;
    all->bytes += count.bytes;
    return 0;
}

static int copy_tables(Worker *worker, const Job *job, int snapshot, Error *error)
{
    PGresult *tables = NULL;
    RelayCount count = {0};
    if (jobs_relations(worker->target, job, &tables, error) != 0) {
        return -1;
    }
    int status = PQntuples(tables) > 0 ? choose_plan(worker, job, tables, error)
                                       : database_execute(worker->source, error, "COMMIT", 0);
    for (int row = 0; status == 0 && row < PQntuples(tables); row++) {
        status = copy_and_note(worker, job, tables, row, snapshot, &count, error);
    }
    /* Rows of one may be in any of the others: their indexes come when all are there. */
    for (int row = 0; status == 0 && row < PQntuples(tables); row++) {
        if (!PQgetisnull(tables, row, ROUTE_TABLE)) {
            status = make_key(worker, job, tables, row, error);
        }
    }
    PQclear(tables);
    return status == 0 ? jobs_done(worker->target, job, snapshot, count.rows, count.bytes, error) : -1;
}

/* Begins on both ends; *held is false when somebody else has the job, *open when a later snapshot is published already. */
static int begin(Worker *worker, const Job *job, int *snapshot, bool *held, bool *open, Error *error)
{
    WorkerYard *yard = worker->yard;
    *held = *open = false;
    if (snapshots_adopt(yard->snapshots, worker->source, snapshot, error) != 0 ||
        database_execute(worker->target, error, "BEGIN", 0) != 0 ||
        jobs_hold(worker->target, job, held, error) != 0) {
        return -1;
    }
    if (*held &&
        snapshots_join(worker->target, yard->copy->settings->migration, *snapshot, open, error) != 0) {
        return -1;
    }
    return 0;
}

static int roll_back(Worker *worker, Error *error)
{
    return database_execute(worker->target, error, "ROLLBACK", 0) == 0
               ? database_execute(worker->source, error, "ROLLBACK", 0)
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
    worker->fit = TABLE_FITS;
    if (begin(worker, job, &snapshot, &held, &open, error) != 0) {
        return -1;
    }
    if (!held || !open) {
        *again = held;
        return roll_back(worker, error);
    }
    if (copy_tables(worker, job, snapshot, error) == 0) {
        return database_execute(worker->target, error, "COMMIT", 0);
    }
    TableFit fit = worker->fit;
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
    PGTransactionStatusType status = PQtransactionStatus(database_connection(worker->target));
    if ((status == PQTRANS_INERROR || status == PQTRANS_INTRANS) &&
        database_execute(worker->target, &ignored, "ROLLBACK", 0) == 0) {
        (void)!jobs_return(worker->target, job, why->message, &ignored);
    }
}

/* Several scans of a table at a time would else begin where another one is, and its rows come out of their order. */
static int open_source(Worker *worker, Error *error)
{
    const Copy *copy = worker->yard->copy;
    return session_open(standby_uri(copy), DATABASE_SOURCE, "copy", copy->migration.source_encoding,
                        &worker->source, error) == 0
               ? database_execute(
                     worker->source, error,
                     "SET synchronize_seqscans = off; SET lock_timeout = '" SOURCE_LOCK_TIMEOUT "'", 0)
               : -1;
}

static int open_both(Worker *worker, Error *error)
{
    const Copy *copy = worker->yard->copy;
    if (worker->source == NULL && open_source(worker, error) != 0) {
        return -1;
    }
    if (worker->target == NULL && worker_open_target(copy, SESSION_COPIES, copy->migration.source_encoding,
                                                     &worker->target, error) != 0) {
        return -1;
    }
    atomic_store(&worker->yard->watches[worker->member->number].session,
                 PQbackendPID(database_connection(worker->target)));
    return 0;
}

/* Tells it once for each job, and goes on with the next one in the queue. */
static int pass_locked(Worker *worker, const Job *job, Error *error)
{
    double now = clock_seconds();
    worker->cursor.rank = job->rank + 1;
    worker->locked_since = worker->locked_since > 0 ? worker->locked_since : now;
    if (now - worker->locked_since > worker->wait.limit_seconds) {
        error_hint(error, "pg_locks and pg_stat_activity of the source say who has it locked");
        return error_context(error, "nothing else is left to copy for %d s", worker->wait.limit_seconds);
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
    database_close(worker->source);
    worker->source = NULL;
    if (PQtransactionStatus(database_connection(worker->target)) != PQTRANS_IDLE) {
        database_close(worker->target);
        worker->target = NULL;
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
    int status = schema_build_early(&road, worker->builder, worker->member->number, worker->member->stop,
                                    built, error);
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
    if (open_both(worker, error) != 0 || build_early(worker, &found, error) != 0) {
        return -1;
    }
    if (found) {
        return 0;
    }
    if (jobs_claim(worker->target, yard->copy->settings->migration, &worker->cursor, &job, &found, error) !=
        0) {
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
    return schema_set_resources(&copy->options->schema, *out, error) == 0
               ? database_execute(*out, error, "SET session_replication_role = replica", 0)
               : -1;
}

int worker_make_key(Database *target, const char *relation, const char *sql, const SessionWait *wait,
                    Error *error)
{
    bool waits = false;
    PGresult *result = NULL;
    if (database_found(target, &waits, error,
                       "UPDATE penstock.schema_object o SET state = 'made' FROM penstock.relation r"
                       " WHERE r.id = $1::int8 AND o.migration = r.migration AND o.section = 'post-data'"
                       "   AND o.class_oid = r.key_class AND o.object_oid = r.key_object AND o.state = "
                       "'waiting' RETURNING 1",
                       1, relation) != 0) {
        return -1;
    }
    if (!waits) {
        return 0;
    }
    int status = session_run(target, sql, wait, &result, error);
    PQclear(result);
    return status == 0 ? 0 : error_context(error, "the index of its key");
}

int worker_copy(const CrewMember *member, Error *error)
{
    WorkerYard *yard = member->context;
    const Copy *copy = yard->copy;
    Worker worker = {.yard = yard,
                     .member = member,
                     .oids = oids_new(),
                     .wait = {.stop = member->stop,
                              .limit_seconds = copy->options->stall_timeout,
                              .what = "copying rows"}};
    int status = drain_queue(&worker, error);
    brake_release(yard->brake, member->number);
    progress_job(copy->progress, member->number, NULL, 0);
    oids_free(worker.oids);
    database_close(worker.source);
    database_close(worker.target);
    database_close(worker.builder);
    return status;
}
