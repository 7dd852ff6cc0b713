/*
 * The list of tables is a queue; each job is a thread with a pair of sessions that takes the next one, the largest
 * first so that no long table is left for the end. All sessions of a side share one snapshot. An error is the table's: it is
 * tried once more where that may help, and the next one follows, unless a side is lost or we are asked to stop.
 *
 * Where there is a guard, a thread of its own reads the small tables with it. It must be the guard's session that
 * reads: any other would wait behind the TRUNCATE that waits for the guard.
 */
#include "compare.h"

#include <pthread.h>
#include <stdlib.h>

#include "chunk.h"
#include "clock.h"
#include "exported.h"
#include "number.h"
#include "text.h"

typedef struct Crew {
    const CompareOptions *options; /* with both snapshots, where they are known */
    CompareResult *result;
    CompareTable **order; /* the tables, largest first; smallest where there is a deadline */
    pthread_mutex_t lock;
    size_t next;
    size_t small_count; /* these come first; the guard's, where there is one */
    bool failed;
    Error error; /* the first */
} Crew;

/*
 * The tables of migration $1, with their place in the order of comparison. Leaves whose rows go through a partitioned table may
 * have others on either side: that table is compared.
 */
#define TABLES_SQL(only)                                                                                     \
    "WITH whole AS ("                                                                                        \
    "  SELECT coalesce(route_schema, schema_name) AS schema_name, coalesce(route_table, table_name)"         \
    "         AS table_name, sum(source_bytes) AS source_bytes"                                              \
    "    FROM penstock.relation WHERE migration = $1 " only " GROUP BY 1, 2),"                               \
    " listed AS ("                                                                                           \
    "  SELECT schema_name, table_name, source_bytes,"                                                        \
    "         source_bytes <= 1048576 AND row_number() OVER (ORDER BY source_bytes, 1, 2) <= 500 AS small"   \
    "    FROM whole) "

static int load_tables(const CompareOptions *options, Crew *crew, CompareResult *result, Error *error)
{
    Database *target;
    PGresult *rows = NULL;
    if (database_connect(options->target_uri, DATABASE_TARGET, "compare", &target, error) != 0) {
        return -1;
    }
    int status = database_query(
        target, &rows, error,
        TABLES_SQL(
            "AND ($2::int8[] IS NULL OR id = ANY ($2::int8[]))") "SELECT schema_name, table_name, small,"
                                                                 "       row_number() OVER (ORDER BY small "
                                                                 "DESC, CASE WHEN $3::bool THEN source_bytes "
                                                                 "ELSE"
                                                                 "  -source_bytes END, 1, 2) FROM listed "
                                                                 "ORDER BY 1, 2",
        3, options->migration, options->only, options->deadline > 0 ? "t" : "f");
    if (status == 0) {
        result->table_count = (size_t)PQntuples(rows);
        result->tables = calloc(result->table_count + 1, sizeof *result->tables);
        crew->order = calloc(result->table_count + 1, sizeof *crew->order);
        for (int i = 0; i < PQntuples(rows); i++) {
            result->tables[i].schema = text_copy(PQgetvalue(rows, i, 0));
            result->tables[i].name = text_copy(PQgetvalue(rows, i, 1));
            result->tables[i].late = options->deadline > 0;
            crew->small_count += *PQgetvalue(rows, i, 2) == 't';
            crew->order[number_int(PQgetvalue(rows, i, 3)) - 1] = &result->tables[i];
        }
    }
    PQclear(rows);
    database_close(target);
    return status;
}

static CompareTable *take_table(Crew *crew, size_t *next, size_t end)
{
    CompareTable *table = NULL;
    pthread_mutex_lock(&crew->lock);
    if (!crew->failed && *next < end) {
        table = crew->order[(*next)++];
    }
    pthread_mutex_unlock(&crew->lock);
    return table;
}

static void fail(Crew *crew, const Error *error)
{
    pthread_mutex_lock(&crew->lock);
    if (!crew->failed) {
        crew->failed = true;
        crew->error = *error;
    }
    pthread_mutex_unlock(&crew->lock);
}

/* A table that failed, and the pair made ready for the next one. Fails when there can be no next one. */
static int give_up_table(const CompareOptions *options, ComparePair *pair, CompareTable *table, Error *error)
{
    Error lost;
    if (error->code == ERROR_INTERRUPTED) {
        return -1;
    }
    if (pair_recover(options, pair, &lost) != 0) {
        *error = lost;
        return -1;
    }
    table->unreadable = true;
    table->equal = table->late = false;
    free(table->problem);
    table->problem = text_copy(error->message);
    return 0;
}

static int compare_one(ComparePair *pair, Forms *forms, const CompareOptions *options, CompareTable *table,
                       Error *error)
{
    return pair_begin(pair, error) == 0 &&
                   chunk_compare(pair, forms, options->max_keys, NULL, table, 1, error) == 0
               ? pair_end(pair, error)
               : -1;
}

/* Once more, in the way that can read more (chunk.h). */
static int compare_again(ComparePair *pair, Forms *forms, const CompareOptions *options, CompareTable *table,
                         Error *error)
{
    Error lost;
    if (!chunk_wants_care(error)) {
        return -1;
    }
    if (pair_recover(options, pair, &lost) != 0) {
        *error = lost;
        return -1;
    }
    pair->careful = true;
    int status = compare_one(pair, forms, options, table, error);
    pair->careful = false;
    return status;
}

static bool is_late(const CompareOptions *options)
{
    return options->deadline > 0 && clock_seconds() >= options->deadline;
}

static int open_fresh(void *context, ComparePair *fresh, Error *error)
{
    const Crew *crew = context;
    return pair_open(crew->options, NULL, fresh, error);
}

/* Compares order[*next … end) with a pair of its own, and with the guard as its target's side if there is one. */
static void work_through(Crew *crew, Database *guard, size_t *next, size_t end)
{
    ComparePair pair;
    Error error;
    if (pair_open(crew->options, guard, &pair, &error) != 0) {
        if (!is_late(crew->options)) {
            fail(crew, &error);
        }
        return;
    }
    CompareTable *table;
    Forms *forms = forms_new();
    while (!is_late(crew->options) && (table = take_table(crew, next, end)) != NULL) {
        if (compare_one(&pair, forms, crew->options, table, &error) == 0 ||
            compare_again(&pair, forms, crew->options, table, &error) == 0) {
            table->late = false;
        } else if (!is_late(crew->options) && give_up_table(crew->options, &pair, table, &error) != 0) {
            fail(crew, &error);
        }
        pair_renew(&pair, open_fresh, crew);
    }
    forms_free(forms);
    pair_close(&pair);
}

static void *work_guarded(void *context)
{
    Crew *crew = context;
    size_t next = 0;
    work_through(crew, *crew->options->guard, &next, crew->small_count);
    *crew->options->guard = NULL;
    return NULL;
}

static void *work(void *context)
{
    Crew *crew = context;
    work_through(crew, NULL, &crew->next, crew->result->table_count);
    return NULL;
}

static int run_crew(Crew *crew, Error *error)
{
    int jobs = crew->options->jobs > 0 ? crew->options->jobs : 1, started = 0;
    bool guarded = crew->options->guard != NULL && *crew->options->guard != NULL;
    pthread_t threads[64];
    pthread_mutex_init(&crew->lock, NULL);
    if (guarded) {
        crew->next = crew->small_count;
        guarded = pthread_create(&threads[started++], NULL, work_guarded, crew) == 0;
        started -= !guarded;
        crew->next = guarded ? crew->next : 0;
    }
    while (started < jobs + guarded && started < 64 &&
           pthread_create(&threads[started], NULL, work, crew) == 0) {
        started++;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    pthread_mutex_destroy(&crew->lock);
    if (started == guarded) {
        return error_set(error, ERROR_SYSTEM, "cannot start a thread");
    }
    if (crew->failed) {
        *error = crew->error;
        return -1;
    }
    return 0;
}

static void sum_up(CompareResult *result)
{
    for (size_t i = 0; i < result->table_count; i++) {
        if (result->tables[i].late) {
            result->late++;
            continue;
        }
        result->rewritten += result->tables[i].rewritten;
        result->unreadable += result->tables[i].unreadable;
        result->different +=
            !result->tables[i].equal && !result->tables[i].rewritten && !result->tables[i].unreadable;
        result->rows += result->tables[i].source_rows;
    }
}

/* Exports a snapshot of one side, in *holder. */
static int take_snapshot(const char *uri, DatabaseEnd end, Database **holder, char snapshot[EXPORTED_SIZE],
                         Error *error)
{
    return database_connect(uri, end, "compare", holder, error) == 0
               ? exported_take(*holder, NULL, snapshot, error)
               : -1;
}

int compare_tables(const CompareOptions *options, CompareResult *out, Error *error)
{
    Database *holders[2] = {NULL, NULL};
    char snapshots[2][EXPORTED_SIZE];
    CompareOptions with_snapshots = *options;
    Crew crew = {.options = &with_snapshots, .result = out};
    *out = (CompareResult){0};
    int status = load_tables(options, &crew, out, error);
    if (status == 0 && options->source_snapshot == NULL) {
        status = take_snapshot(options->source_uri, DATABASE_SOURCE, &holders[0], snapshots[0], error);
        with_snapshots.source_snapshot = snapshots[0];
    }
    if (status == 0 && options->target_snapshot == NULL) {
        status = take_snapshot(options->target_uri, DATABASE_TARGET, &holders[1], snapshots[1], error);
        with_snapshots.target_snapshot = snapshots[1];
    }
    if (status == 0) {
        status = run_crew(&crew, error);
    }
    if (status == 0) {
        sum_up(out);
    }
    for (int i = 0; i < 2; i++) {
        database_close(holders[i]);
    }
    free(crew.order);
    return status;
}

static int lock_small_tables(Database *guard, const char *migration, Error *error)
{
    char *sql = NULL;
    int status = database_value(
        guard, &sql, error,
        TABLES_SQL(
            "") "SELECT format('LOCK TABLE %s IN ACCESS SHARE MODE', string_agg(format('%I.%I', schema_name, "
                "table_name), ', '))"
                "  FROM listed WHERE small AND to_regclass(format('%I.%I', schema_name, table_name)) IS NOT "
                "NULL"
                " HAVING count(*) > 0",
        1, migration);
    if (status == 0 && sql != NULL) {
        status = database_execute(guard, error, sql, 0);
    }
    free(sql);
    return status;
}

int compare_guard(const CompareOptions *options, Database **out, Error *error)
{
    if (session_open_guard(options, out, error) == 0 &&
        lock_small_tables(*out, options->migration, error) == 0) {
        database_limit(*out, (QueryLimits){0});
        return 0;
    }
    database_close(*out);
    *out = NULL;
    return error_context(error, "locking the small tables for the comparison");
}

void compare_table_clear(CompareTable *table)
{
    for (size_t k = 0; k < table->key_count; k++) {
        CompareKey *key = &table->keys[k];
        for (size_t v = 0; v < key->value_count; v++) {
            free(key->values[v].column);
            free(key->values[v].source);
            free(key->values[v].target);
        }
        for (size_t part = 0; part < key->part_count; part++) {
            free(key->parts[part]);
        }
        free(key->parts);
        free(key->values);
        free(key->key);
    }
    free(table->keys);
    free(table->row_hash);
    free(table->key_hash);
    free(table->key_shown);
    free(table->schema);
    free(table->name);
    free(table->problem);
    *table = (CompareTable){0};
}

void compare_free(CompareResult *result)
{
    for (size_t i = 0; i < result->table_count; i++) {
        compare_table_clear(&result->tables[i]);
    }
    free(result->tables);
    *result = (CompareResult){0};
}
