/*
 * Small tables go together, as many as one query can be over; large ones with a key that follows the heap in ranges of it, as
 * the copy has cut them. The largest come first, so that no long one is left for the end.
 */
#include "pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "pass_forget.h"
#include "text.h"

/*
 * Below this tables are compared together, 200 at a time: fewer where they have many columns, each of which a query over them
 * names, or many indexes, each of which a session locks with its table. 600 locks: a server has room for some 7,000 by default
 * (max_locks_per_transaction * (max_connections + …), all majors), and whoever finds none left has an error.
 */
#define SMALL_BYTES "262144"
#define WEIGHT_TOGETHER "6000"
#define LEAST_WEIGHT "30"
#define LOCK_WEIGHT "10"

/* Of a table that had none when it was copied. */
#define ROW_BYTES "100"

/* One that was interrupted longer ago says too little of today. */
#define RESUMED_WITHIN "interval '1 day'"

/*
 * Leaves whose rows go through a partitioned table may have others on either side: that table is compared, once, in the name of
 * the first of them, whichever was asked for. There may be thousands of each: they are not looked for one by one.
 */
#define CHOSEN(match)                                                                                        \
    "WITH wanted AS MATERIALIZED (SELECT r.id, r.route_schema, r.route_table"                                \
    "   FROM penstock.relation r WHERE r.migration = $1" match "),"                                          \
    " chosen AS MATERIALIZED (SELECT id FROM wanted WHERE route_table IS NULL"                               \
    "   UNION ALL SELECT min(o.id) FROM penstock.relation o WHERE o.migration = $1"                          \
    "         AND (o.route_schema, o.route_table) IN (SELECT route_schema, route_table FROM wanted)"         \
    "       GROUP BY o.route_schema, o.route_table),"

static const char jobs_sql[] =
    " indexes AS MATERIALIZED (SELECT n.nspname, c.relname, count(*) AS count FROM pg_catalog.pg_index i"
    "   JOIN pg_catalog.pg_class c ON c.oid = i.indrelid"
    "   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace GROUP BY 1, 2),"
    " pieces AS (SELECT r.id, r.part_cuts, r.source_bytes AS bytes,"
    "     greatest(cardinality(r.source_columns), (1 + coalesce(i.count, 0)) * " LOCK_WEIGHT ", " LEAST_WEIGHT
    ") AS weight"
    "   FROM chosen JOIN penstock.relation r USING (id) LEFT JOIN indexes i"
    "     ON i.nspname = r.schema_name COLLATE \"C\" AND i.relname = r.table_name COLLATE \"C\")"
    " INSERT INTO penstock.verify_job (pass, number, relations, first_key, last_key, source_bytes)"
    " SELECT $2::int8, row_number() OVER (ORDER BY sum(bytes) DESC, min(id), part),"
    "        array_agg(id ORDER BY id), first_key, last_key, sum(bytes)"
    "   FROM (SELECT id, (sum(weight) OVER (ORDER BY id))::int8 / " WEIGHT_TOGETHER " AS set,"
    "                0 AS part, NULL::text AS first_key, NULL::text AS last_key, bytes"
    "           FROM pieces WHERE part_cuts IS NULL AND bytes < " SMALL_BYTES
    "         UNION ALL SELECT id, -id, 0, NULL, NULL, bytes"
    "           FROM pieces WHERE part_cuts IS NULL AND bytes >= " SMALL_BYTES
    "         UNION ALL SELECT id, -id, n - 1, part_cuts[n - 1], part_cuts[n], bytes / "
    "(cardinality(part_cuts) + 1)"
    "           FROM pieces, generate_series(1, cardinality(part_cuts) + 1) AS n WHERE part_cuts IS NOT "
    "NULL) p"
    "  GROUP BY set, part, first_key, last_key";

static int make_jobs(Database *target, const char *migration, const char *match, const Pass *pass,
                     Error *error)
{
    Text sql = {0};
    text_printf(&sql, CHOSEN("%s%s") "%s", match != NULL ? " AND " : "", match != NULL ? match : "",
                jobs_sql);
    int status = database_execute(target, error, sql.data, 2, migration, pass->id);
    text_free(&sql);
    return status;
}

int pass_count(Database *target, Pass *pass, Error *error)
{
    PGresult *row = NULL;
    if (database_query(
            target, &row, error,
            "SELECT count(*), count(*) FILTER (WHERE state = 'pending'), coalesce(sum(source_bytes), 0),"
            "       coalesce(sum(source_bytes) FILTER (WHERE state = 'pending'), 0)"
            "  FROM penstock.verify_job WHERE pass = $1::int8",
            1, pass->id) != 0) {
        return -1;
    }
    pass->jobs = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    pass->jobs_left = strtoll(PQgetvalue(row, 0, 1), NULL, 10);
    pass->bytes = strtoll(PQgetvalue(row, 0, 2), NULL, 10);
    pass->bytes_left = strtoll(PQgetvalue(row, 0, 3), NULL, 10);
    PQclear(row);
    return 0;
}

static int find_interrupted(Database *target, const PassScope *scope, Pass *out, Error *error)
{
    char *id = NULL;
    if (database_value(target, &id, error,
                       "SELECT max(id) FROM penstock.verify_pass WHERE migration = $1 AND scope = $2"
                       "   AND state = 'running' AND started_at > clock_timestamp() - " RESUMED_WITHIN,
                       2, scope->migration, scope->words) != 0) {
        return -1;
    }
    out->resumed = id != NULL;
    snprintf(out->id, sizeof out->id, "%s", id != NULL ? id : "");
    free(id);
    return 0;
}

static int make_pass(Database *target, const PassScope *scope, Pass *out, Error *error)
{
    char *id = NULL, sample[16];
    const char *migration = scope->migration;
    snprintf(sample, sizeof sample, "%d", scope->sample);
    if (database_execute(target, error, "BEGIN", 0) != 0 || pass_forget(target, migration, error) != 0 ||
        database_value(target, &id, error,
                       "INSERT INTO penstock.verify_pass (migration, scope, sample) VALUES ($1, $2, $3::int)"
                       " RETURNING id",
                       3, migration, scope->words, sample) != 0) {
        return -1;
    }
    snprintf(out->id, sizeof out->id, "%s", id);
    free(id);
    return make_jobs(target, migration, scope->match, out, error) == 0
               ? database_execute(target, error, "COMMIT", 0)
               : -1;
}

int pass_begin(Database *target, const PassScope *scope, Pass *out, Error *error)
{
    *out = (Pass){0};
    if ((scope->anew || find_interrupted(target, scope, out, error) == 0) &&
        (out->resumed || make_pass(target, scope, out, error) == 0) && pass_count(target, out, error) == 0) {
        return 0;
    }
    Error ignored;
    (void)!database_execute(target, &ignored, "ROLLBACK", 0);
    return error_context(error, "writing down what is to be compared");
}

int pass_find(Database *target, const char *migration, Pass *out, int *sample, bool *found, Error *error)
{
    PGresult *row = NULL;
    *out = (Pass){.resumed = false};
    if (database_query(
            target, &row, error,
            "SELECT id, sample FROM penstock.verify_pass WHERE migration = $1 AND state = 'running'"
            " ORDER BY id DESC LIMIT 1",
            1, migration) != 0) {
        return -1;
    }
    *found = PQntuples(row) == 1;
    if (*found) {
        snprintf(out->id, sizeof out->id, "%s", PQgetvalue(row, 0, 0));
        *sample = number_int(PQgetvalue(row, 0, 1));
    }
    PQclear(row);
    return *found ? pass_count(target, out, error) : 0;
}

/*
 * Who is at a piece has an advisory lock of the transaction that holds it. A lock on its row would do as well, but gives the
 * transaction an xid, and a comparison of hours would hold up whoever waits for the end of all that write: CREATE_REPLICATION_SLOT
 * first of all (SnapBuildWaitSnapshot of snapbuild.c, all majors), which the way back of a cutover begins with. The lock is tried row
 * by row, in their order and no further than the first that is free: OFFSET 0 keeps the condition out of the inner query.
 */
#define FREE_PIECES                                                                                          \
    "SELECT p.number FROM (SELECT number FROM penstock.verify_job WHERE pass = $1::int8 AND state = "        \
    "'pending' ORDER BY number OFFSET 0) p "                                                                 \
    "WHERE pg_try_advisory_xact_lock(hashtextextended(concat('penstock:verify:', $1::text, ':', p.number), " \
    "0))"                                                                                                    \
    " LIMIT 1"

int pass_any_free(Database *target, const Pass *pass, bool *any, Error *error)
{
    return database_found(target, any, error, FREE_PIECES, 1, pass->id);
}

static int load_tables(Database *target, const Pass *pass, PassJob *job, Error *error)
{
    return database_query(
        target, &job->tables, error,
        "SELECT r.id, coalesce(r.route_schema, r.schema_name), coalesce(r.route_table, r.table_name), "
        "r.part_column, r.part_type, r.part_scan, r.condition,"
        "       CASE WHEN r.copied_rows > 0 THEN greatest(r.source_bytes / r.copied_rows, 1) ELSE " ROW_BYTES
        " END,"
        "       CASE WHEN r.copy_state <> 'copied' THEN coalesce(r.recopy_reason, 'it is not copied yet') END"
        "  FROM penstock.verify_job j, unnest(j.relations) AS n JOIN penstock.relation r ON r.id = n"
        " WHERE j.pass = $1::int8 AND j.number = $2::int ORDER BY r.id",
        2, pass->id, job->number);
}

static int end_take(Database *target, Error *error)
{
    return database_execute(target, error, "ROLLBACK", 0);
}

/* The piece of which the lock was taken; *found is false when somebody has done it since it was looked up. */
static int read_piece(Database *target, const Pass *pass, const char *number, PassJob *out, bool *found,
                      Error *error)
{
    PGresult *row = NULL;
    if (database_query(target, &row, error,
                       "SELECT number, first_key, last_key, source_bytes FROM penstock.verify_job"
                       " WHERE pass = $1::int8 AND number = $2::int AND state = 'pending'",
                       2, pass->id, number) != 0) {
        return -1;
    }
    *found = PQntuples(row) == 1;
    if (*found) {
        snprintf(out->number, sizeof out->number, "%s", PQgetvalue(row, 0, 0));
        snprintf(out->first_key, sizeof out->first_key, "%s", PQgetvalue(row, 0, 1));
        snprintf(out->last_key, sizeof out->last_key, "%s", PQgetvalue(row, 0, 2));
        out->bytes = strtoll(PQgetvalue(row, 0, 3), NULL, 10);
    }
    PQclear(row);
    return 0;
}

int pass_take(Database *target, const Pass *pass, PassJob *out, bool *found, Error *error)
{
    *out = (PassJob){0};
    *found = false;
    while (!*found) {
        char *number = NULL;
        if (database_execute(target, error, "BEGIN", 0) != 0 ||
            database_value(target, &number, error, FREE_PIECES, 1, pass->id) != 0) {
            return -1;
        }
        if (number == NULL) {
            return end_take(target, error);
        }
        int status = read_piece(target, pass, number, out, found, error);
        free(number);
        if (status != 0 || (!*found && end_take(target, error) != 0)) {
            return -1;
        }
    }
    return load_tables(target, pass, out, error);
}

void pass_job_free(PassJob *job)
{
    PQclear(job->tables);
    *job = (PassJob){0};
}

enum {
    COUNTED_RELATION,
    COUNTED_SOURCE,
    COUNTED_TARGET,
    COUNTED_EQUAL,
    COUNTED_ANSWERED,
    COUNTED_PROBLEM,
    COUNTED
};

static void add_count(Text *array, int64_t count)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)count);
    text_array_add(array, text);
}

static void add_table(Text arrays[COUNTED], const char *relation, const CompareTable *table)
{
    bool answered = !table->rewritten && !table->unreadable;
    text_array_add(&arrays[COUNTED_RELATION], relation);
    add_count(&arrays[COUNTED_SOURCE], table->source_rows);
    add_count(&arrays[COUNTED_TARGET], table->target_rows);
    text_array_add(&arrays[COUNTED_EQUAL], table->equal ? "t" : "f");
    text_array_add(&arrays[COUNTED_ANSWERED], answered ? "t" : "f");
    text_array_add(&arrays[COUNTED_PROBLEM], table->problem);
}

static int note_tables(Database *target, const Pass *pass, const PassJob *job, const CompareTable *found,
                       Error *error)
{
    Text arrays[COUNTED] = {{0}};
    for (int i = 0; i < PQntuples(job->tables); i++) {
        add_table(arrays, PQgetvalue(job->tables, i, PASS_RELATION), &found[i]);
    }
    for (int i = 0; i < COUNTED; i++) {
        text_array_end(&arrays[i]);
    }
    int status = database_execute(
        target, error,
        "INSERT INTO penstock.verify_table AS v (pass, relation, source_rows, target_rows, equal, answered, "
        "problem)"
        " SELECT $1::int8, * FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::bool[], $6::bool[], "
        "$7::text[])"
        " ON CONFLICT (pass, relation) DO UPDATE SET source_rows = v.source_rows + excluded.source_rows,"
        "    target_rows = v.target_rows + excluded.target_rows, equal = v.equal AND excluded.equal,"
        "    answered = v.answered AND excluded.answered, problem = coalesce(v.problem, excluded.problem)",
        7, pass->id, arrays[0].data, arrays[1].data, arrays[2].data, arrays[3].data, arrays[4].data,
        arrays[5].data);
    for (int i = 0; i < COUNTED; i++) {
        text_free(&arrays[i]);
    }
    return status;
}

static int note_row(Database *target, const Pass *pass, const char *object, const CompareKey *key,
                    Error *error)
{
    static const char sql[] =
        "INSERT INTO penstock.verify_difference (pass, kind, object, key, column_name, source, target)"
        " VALUES ($1::int8, 'row', $2, $3, $4, $5, $6)";
    if (key->value_count == 0) {
        return database_execute(target, error, sql, 6, pass->id, object, key->key, NULL,
                                key->on_source ? "there" : NULL, key->on_target ? "there" : NULL);
    }
    for (size_t i = 0; i < key->value_count; i++) {
        const CompareValue *value = &key->values[i];
        if (database_execute(target, error, sql, 6, pass->id, object, key->key, value->column, value->source,
                             value->target) != 0) {
            return -1;
        }
    }
    return 0;
}

static int note_rows(Database *target, const Pass *pass, const CompareTable *table, Error *error)
{
    Text object = {0};
    int status = 0;
    text_printf(&object, "%s.%s", table->schema, table->name);
    for (size_t i = 0; status == 0 && i < table->key_count; i++) {
        status = note_row(target, pass, object.data, &table->keys[i], error);
    }
    text_free(&object);
    return status;
}

/* Those that differ, as an array literal. */
static Text list_different(const PassJob *job, const CompareTable *found)
{
    Text list = {0};
    for (int i = 0; i < PQntuples(job->tables); i++) {
        if (!found[i].equal && found[i].problem == NULL) {
            text_array_add(&list, PQgetvalue(job->tables, i, PASS_RELATION));
        }
    }
    text_array_end(&list);
    return list;
}

int pass_done(Database *target, const Pass *pass, const PassJob *job, const CompareTable *found, Error *error)
{
    int status = note_tables(target, pass, job, found, error);
    for (int i = 0; status == 0 && i < PQntuples(job->tables); i++) {
        status = note_rows(target, pass, &found[i], error);
    }
    Text different = list_different(job, found);
    status = status == 0 &&
                     database_execute(target, error,
                                      "UPDATE penstock.verify_job SET state = 'done', different = $3::int8[]"
                                      " WHERE pass = $1::int8 AND number = $2::int",
                                      3, pass->id, job->number, different.data) == 0 &&
                     database_execute(target, error, "COMMIT", 0) == 0
                 ? 0
                 : error_context(error, "noting what was compared");
    text_free(&different);
    return status;
}

int pass_note(Database *target, const Pass *pass, const char *kind, const char *object, const char *key,
              const char *source, const char *target_value, Error *error)
{
    return database_execute(target, error,
                            "INSERT INTO penstock.verify_difference (pass, kind, object, key, source, target)"
                            " VALUES ($1::int8, $2, $3, $4, $5, $6)",
                            6, pass->id, kind, object, key, source, target_value);
}

int pass_end(Database *target, const Pass *pass, const PairsSummary *pairs, Error *error)
{
    char points[16], hold[32];
    snprintf(points, sizeof points, "%d", pairs->count);
    snprintf(hold, sizeof hold, "%.3f", pairs->longest_hold_ms);
    return database_execute(
               target, error,
               "UPDATE penstock.verify_pass p SET state = 'done', ended_at = clock_timestamp(),"
               "   first_point = coalesce(p.first_point, nullif($2, '')::pg_lsn),"
               "   last_point = coalesce(nullif($3, '')::pg_lsn, p.last_point), points = p.points + $4::int,"
               "   longest_hold_ms = greatest(p.longest_hold_ms, $5::float8), tables = t.tables, rows = "
               "t.rows,"
               "   different = t.different + d.others, unanswered = t.unanswered"
               "  FROM (SELECT count(*) AS tables, coalesce(sum(source_rows), 0) AS rows,"
               "               count(*) FILTER (WHERE NOT equal AND answered) AS different,"
               "               count(*) FILTER (WHERE NOT answered) AS unanswered"
               "          FROM penstock.verify_table WHERE pass = $1::int8) t,"
               "       (SELECT count(DISTINCT concat(kind, object)) AS others FROM penstock.verify_difference"
               "         WHERE pass = $1::int8 AND kind <> 'row' AND repaired IS NULL) d"
               " WHERE p.id = $1::int8",
               5, pass->id, pairs->first_point, pairs->last_point, points, hold) == 0
               ? 0
               : error_context(error, "summing up what was compared");
}
