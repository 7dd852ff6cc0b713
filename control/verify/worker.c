/*
 * A worker has three connections: to each side one that reads under the pair of snapshots, and one to the state, whose
 * transaction holds the piece of work:
 *
 *     state    BEGIN, take ────────────────────────────────────────────────────► note, COMMIT
 *     source   adopt ──► read, compare ──► COMMIT
 *     target   adopt ──► read, compare ──► COMMIT
 *
 * A set of small tables that could not be read in one query is read table by table: one that is broken costs only itself. A
 * table that was emptied or rewritten since the snapshot is compared again under a later one.
 */
#include <stdlib.h>

#include "chunk.h"
#include "clock.h"
#include "crew.h"
#include "pace.h"
#include "text.h"
#include "yard.h"

#define TRIES 4
#define PAUSE_MS 200

typedef struct Worker {
    Verify *verify;
    const CrewMember *member;
    Database *state;
    ComparePair pair;
    Forms *forms;
} Worker;

/* With the first piece: many workers wait for the throttle to let them work. */
static int open_all(Worker *worker, Error *error)
{
    if (worker->state != NULL) {
        verify_renew_pair(worker->verify, &worker->pair);
        return 0;
    }
    return verify_connect(worker->verify->settings, DATABASE_TARGET, "verify", &worker->state, error) == 0
               ? verify_open_pair(worker->verify, &worker->pair, error)
               : -1;
}

static bool is_part(const PassJob *job)
{
    return job->first_key[0] != '\0' || job->last_key[0] != '\0';
}

/* A range of keys is read by their index where rows lie in its order. */
static int set_up(Worker *worker, const PassJob *job, Error *error)
{
    static const char sql[] = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off";
    bool by_index = is_part(job) && PQgetvalue(job->tables, 0, PASS_PART_SCAN)[0] != 't';
    return by_index ? pair_execute(&worker->pair, sql, error) : 0;
}

static ChunkShape shape_of(const Worker *worker, const PassJob *job, int row)
{
    const PGresult *tables = job->tables;
    return (ChunkShape){
        .condition =
            PQgetisnull(tables, row, PASS_CONDITION) ? NULL : PQgetvalue(tables, row, PASS_CONDITION),
        .range = {.column = PQgetvalue(tables, row, PASS_PART_COLUMN),
                  .type = PQgetvalue(tables, row, PASS_PART_TYPE),
                  .first_key = job->first_key,
                  .last_key = job->last_key},
        .sample = worker->verify->options->sample,
        .pace = pace_now(worker->verify, strtod(PQgetvalue(tables, row, PASS_ROW_BYTES), NULL)),
    };
}

/* Empties what an earlier try found. */
static void name_table(CompareTable *table, const PassJob *job, int row)
{
    compare_table_clear(table);
    table->schema = text_copy(PQgetvalue(job->tables, row, PASS_SCHEMA));
    table->name = text_copy(PQgetvalue(job->tables, row, PASS_TABLE));
}

/* Tables [first, first + count) of the job under one pair of snapshots, whose number is *number. */
static int compare_under_pair(Worker *worker, const PassJob *job, CompareTable *tables, int first, int count,
                              int *number, Error *error)
{
    ChunkShape *shapes = calloc((size_t)count + 1, sizeof(*shapes));
    if (shapes == NULL) {
        abort();
    }
    for (int i = 0; i < count; i++) {
        name_table(&tables[first + i], job, first + i);
        shapes[i] = shape_of(worker, job, first + i);
    }
    int status =
        pairs_adopt(worker->verify->pairs, worker->pair.source, worker->pair.target, number, error) == 0 &&
                set_up(worker, job, error) == 0 &&
                chunk_compare(&worker->pair, worker->forms, worker->verify->options->limit, shapes,
                              &tables[first], count, error) == 0
            ? pair_execute(&worker->pair, "COMMIT", error)
            : -1;
    free(shapes);
    return status;
}

/* After an error that is of the tables alone. */
static int recover(Worker *worker, const Error *cause, Error *error)
{
    if (cause->code == ERROR_INTERRUPTED || cause->code == ERROR_CONNECTION || cause->code == ERROR_LIMIT ||
        cause->code == ERROR_STATE) {
        *error = *cause;
        return -1;
    }
    return pair_execute(&worker->pair, "ROLLBACK", error);
}

/* One table by itself; what is wrong with it becomes its problem. */
static int compare_alone(Worker *worker, const PassJob *job, CompareTable *tables, int row, Error *error)
{
    CompareTable *table = &tables[row];
    for (int tries = 0; tries < TRIES; tries++) {
        int number;
        Error failure = {0};
        if (compare_under_pair(worker, job, tables, row, 1, &number, &failure) == 0) {
            if (!table->rewritten) {
                return 0;
            }
            pairs_renew(worker->verify->pairs, number);
            continue;
        }
        if (recover(worker, &failure, error) != 0) {
            return -1;
        }
        table->unreadable = true;
        free(table->problem);
        table->problem = text_copy(failure.message);
        if (worker->pair.careful || !chunk_wants_care(&failure)) {
            return 0;
        }
        worker->pair.careful = true;
    }
    return 0;
}

static int compare_job(Worker *worker, const PassJob *job, CompareTable *tables, Error *error)
{
    int count = PQntuples(job->tables), number, status = 0;
    bool together = count > 1;
    if (together) {
        Error failure = {0};
        if (compare_under_pair(worker, job, tables, 0, count, &number, &failure) != 0) {
            together = false;
            if (recover(worker, &failure, error) != 0) {
                return -1;
            }
        }
    }
    for (int row = 0; status == 0 && row < count; row++) {
        if (!together || tables[row].rewritten) {
            status = compare_alone(worker, job, tables, row, error);
            worker->pair.careful = false;
        }
    }
    return status;
}

/* A table that is known to be wrong needs no comparison to say so. */
static void note_waiting(const PassJob *job, CompareTable *tables)
{
    for (int row = 0; row < PQntuples(job->tables); row++) {
        if (!PQgetisnull(job->tables, row, PASS_WAITS)) {
            tables[row].equal = false;
            free(tables[row].problem);
            if (asprintf(&tables[row].problem, "waits to be copied: %s",
                         PQgetvalue(job->tables, row, PASS_WAITS)) < 0) {
                abort();
            }
        }
    }
}

static void count_job(Verify *verify, const PassJob *job, const CompareTable *tables)
{
    for (int row = 0; row < PQntuples(job->tables); row++) {
        atomic_fetch_add(&verify->rows_done, tables[row].source_rows);
        atomic_fetch_add(&verify->different, !tables[row].equal);
    }
    atomic_fetch_add(&verify->jobs_done, 1);
}

static int do_job(Worker *worker, const PassJob *job, Error *error)
{
    int count = PQntuples(job->tables);
    CompareTable *tables = calloc((size_t)count + 1, sizeof(*tables));
    if (tables == NULL) {
        abort();
    }
    int status = compare_job(worker, job, tables, error);
    if (status == 0) {
        note_waiting(job, tables);
        status = pass_done(worker->state, &worker->verify->pass, job, tables, error);
    }
    if (status == 0) {
        count_job(worker->verify, job, tables);
    }
    for (int row = 0; row < count; row++) {
        compare_table_clear(&tables[row]);
    }
    free(tables);
    return status;
}

/* *left: no piece is there that nobody is at. */
static int take_turn(Worker *worker, bool *left, Error *error)
{
    PassJob job;
    bool found = false;
    Verify *verify = worker->verify;
    if (open_all(worker, error) != 0 || pass_take(worker->state, &verify->pass, &job, &found, error) != 0) {
        return -1;
    }
    int status = found ? do_job(worker, &job, error) : 0;
    int64_t bytes = job.bytes;
    pass_job_free(&job);
    if (status != 0) {
        return -1;
    }
    *left = !found;
    if (!found) {
        brake_drained(verify->brake, true);
    }
    return !found || pace_spend(verify, bytes, worker->member->stop) || !interrupted()
               ? 0
               : error_set(error, ERROR_INTERRUPTED, "interrupted");
}

static int work_through(Worker *worker, Error *error)
{
    for (bool left = false; !left && !atomic_load(worker->member->stop);) {
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        BrakeAnswer answer = brake_wait(worker->verify->brake, worker->member->number);
        if (answer == BRAKE_END) {
            return 0;
        }
        if (answer == BRAKE_GO && take_turn(worker, &left, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int work(const CrewMember *member, Error *error)
{
    Worker worker = {.verify = member->context, .member = member, .forms = forms_new()};
    int status = work_through(&worker, error);
    forms_free(worker.forms);
    database_close(worker.state);
    pair_close(&worker.pair);
    return status;
}

static int idle(void *context, Error *error)
{
    verify_show(context);
    return pace_tick(context, error);
}

/* A crew where there is work for it, else a look at what the others do: those who compare along have pieces, too. */
static int work_once(Verify *verify, Error *error)
{
    bool any = false;
    int size = verify->options->jobs > WORKERS_READY ? verify->options->jobs : WORKERS_READY, status = 0;
    if (pass_any_free(verify->target, &verify->pass, &any, error) != 0) {
        return -1;
    }
    if (any) {
        brake_drained(verify->brake, false);
        status = crew_run(size, work, idle, verify, &verify->stop, error);
    } else {
        status = idle(verify, error);
        clock_pause_ms(PAUSE_MS);
    }
    return status != 0 || !interrupted() ? status : error_set(error, ERROR_INTERRUPTED, "interrupted");
}

int verify_rows(Verify *verify, Error *error)
{
    int status = 0;
    verify->bytes_before = verify->pass.bytes - verify->pass.bytes_left;
    while (status == 0 && verify->pass.jobs_left > 0) {
        status = work_once(verify, error) == 0 ? pass_count(verify->target, &verify->pass, error) : -1;
    }
    return status;
}
