/*
 * The step that copies rows: jobs, until none is left; and where that took more than one snapshot, the stream, until it has
 * passed the last of them. Then all tables are of one point in time. While the stream goes there, a part may turn out to have
 * to be copied anew: then there are jobs again.
 */
#include "beside.h"
#include "clock.h"
#include "carry.h"
#include "copiers.h"
#include "gone.h"
#include "governor.h"
#include "jobs.h"
#include "post_data.h"
#include "worker.h"

#define WATCH_SECONDS 1
#define BYTES_PER_SECOND (INT64_C(50) << 20)

typedef struct Data {
    WorkerYard yard; /* first: what the workers get is the whole of this */
    Copy *copy;
    Beside beside;
    SchemaRoad road;
    Governor *governor;
    double watched_at;
} Data;

/* Those who copy along, if there are any, copy under snapshots that this process takes. */
static int tend_others(Data *data, Error *error)
{
    Copy *copy = data->copy;
    bool others = false, wanted = false;
    if (copiers_tend(copy, &others, error) != 0) {
        return -1;
    }
    if (others && jobs_any_free(copy->target, copy->settings->migration, &wanted, error) != 0) {
        return -1;
    }
    return wanted ? snapshots_offer(data->yard.snapshots, error) : 0;
}

static int watch(Data *data, Error *error)
{
    if (clock_seconds() - data->watched_at < WATCH_SECONDS) {
        return 0;
    }
    data->watched_at = clock_seconds();
    return yard_watch(&data->yard, error) == 0 ? tend_others(data, error) : -1;
}

/* Nobody copies, and indexes are built, for instance: the stream need not wait for a job's snapshot to go on. */
static bool stream_is_alone(Data *data)
{
    return atomic_load(&data->yard.busy) == 0 && !data->copy->again &&
           (snapshots_newest(data->yard.snapshots) > 1 || data->yard.large || governor_holds(data->governor));
}

/* What is done beside the workers. */
static int idle(void *context, Error *error)
{
    Data *data = context;
    return governor_tick(data->governor, error) == 0 &&
                   beside_tend(&data->beside, stream_is_alone(data), error) == 0
               ? watch(data, error)
               : -1;
}

static int make_key(Database *target, const char *relation, const char *sql, Error *error)
{
    const SessionWait wait = {.limit_seconds = 3600, .what = "making the index of a key"};
    const CarryKey key = {.relation = relation, .sql = sql};
    size_t at;
    return database_execute(target, error, "BEGIN", 0) == 0 &&
                   carry_make_keys(target, &key, 1, &wait, &at, error) == 0 &&
                   database_execute(target, error, "COMMIT", 0) == 0
               ? 0
               : -1;
}

/* Parts are filled beside the stream, which finds rows by the key. */
static int make_keys_of_parts(const Copy *copy, Error *error)
{
    PGresult *rows = NULL;
    Database *target = NULL;
    if (database_query(copy->target, &rows, error,
                       "SELECT id, key_sql, schema_name, table_name FROM penstock.relation"
                       " WHERE migration = $1 AND part_column IS NOT NULL AND copy_state <> 'copied'",
                       1, copy->settings->migration) != 0) {
        return -1;
    }
    /* What is noted of the key is ours: the search_path must be, too. */
    int status = PQntuples(rows) > 0 ? worker_open_target(copy, SESSION_COPIES, NULL, &target, error) : 0;
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        status = make_key(target, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), error);
        if (status != 0) {
            error_context(error, "table %s.%s", PQgetvalue(rows, i, 2), PQgetvalue(rows, i, 3));
        }
    }
    database_close(target);
    PQclear(rows);
    return status;
}

static int show_totals(const Copy *copy, Error *error)
{
    JobsTotals totals = {0};
    if (jobs_totals(copy->target, copy->settings->migration, &totals, error) != 0) {
        return -1;
    }
    progress_totals(copy->progress, totals.tables, totals.tables_done, totals.source_bytes,
                    totals.source_bytes_done);
    return 0;
}

/* Whether that is more than a cycle's work, by a rate that few machines do not reach. */
static int is_large(const Copy *copy, bool *large, Error *error)
{
    JobsTotals totals = {0};
    if (jobs_totals(copy->target, copy->settings->migration, &totals, error) != 0) {
        return -1;
    }
    *large = totals.source_bytes - totals.source_bytes_done > copy->options->cycle * BYTES_PER_SECOND;
    return 0;
}

static int copy_and_pass(Data *data, Error *error)
{
    Copy *copy = data->copy;
    if (is_large(copy, &data->yard.large, error) != 0 || governor_tick(data->governor, error) != 0) {
        return -1;
    }
    for (bool done = false; !done;) {
        bool needed = false;
        if (show_totals(copy, error) != 0 || yard_work(&data->yard, idle, error) != 0 ||
            beside_needed(copy, &needed, error) != 0) {
            return -1;
        }
        done = !needed || copy->again;
        if (!done && beside_pass(&data->beside, &done, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* What the command line says takes the place of what was set before (penstock throttle). */
static int set_limits(const Copy *copy, Error *error)
{
    return copy->options->max_wal == NULL
               ? 0
               : database_execute(copy->target, error,
                                  "INSERT INTO penstock.throttle (migration, max_wal)"
                                  " VALUES ($1, pg_catalog.pg_size_bytes($2))"
                                  " ON CONFLICT (migration) DO UPDATE SET max_wal = excluded.max_wal",
                                  2, copy->settings->migration, copy->options->max_wal);
}

int copy_step_data(Copy *copy, bool repeated, Error *error)
{
    Data data = {.copy = copy};
    (void)repeated;
    if (!copy->again && !copy_captures(copy) && gone_forget(copy, error) != 0) {
        return -1;
    }
    if (make_keys_of_parts(copy, error) != 0 || set_limits(copy, error) != 0) {
        return -1;
    }
    int status = beside_open(copy, &data.yard.stop, &data.beside, error);
    data.road = post_data_road(copy);
    data.yard = (WorkerYard){.copy = copy,
                             .snapshots = data.beside.snapshots,
                             .road = copy->again ? NULL : &data.road,
                             .built_next = true};
    yard_fill(&data.yard);
    data.governor = yard_governor(&data.yard);
    if (status == 0) {
        status = copy_and_pass(&data, error);
    }
    beside_close(&data.beside);
    governor_free(data.governor);
    yard_clear(&data.yard);
    return status;
}
