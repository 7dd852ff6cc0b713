/*
 * Everything is written in one transaction: whoever finds a relation finds its jobs.
 *
 * Only relations that wait and have no job get one. Those that wait to be copied again lose their old jobs first.
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "source.h"
#include "text.h"

/* Tables below this are copied together, so many at a time. */
#define SMALL_BYTES "262144"
#define SMALL_TOGETHER "50"

static const char shapes_sql[] =
    "UPDATE penstock.relation r SET columns = u.c, in_binary = u.y, condition = u.d, key_class = u.kc, "
    "key_object = u.ko,"
    "       key_sql = u.k, unique_index = u.u, part_column = CASE WHEN u.k IS NOT NULL AND "
    "u.rt IS NULL THEN u.p END, part_type = u.pt, part_scan = u.ps, route_schema = u.rs, route_table = u.rt, "
    "column_types = u.ct::oid[]"
    "  FROM unnest($2::text[], $3::text[], $4::oid[], $5::text[], $6::bool[], $7::text[], $8::oid[], "
    "$9::oid[], $10::text[],"
    "       $11::text[], $12::text[], $13::text[], $14::bool[], $15::text[], $16::text[], $17::text[])"
    "       AS u (s, t, o, c, y, d, kc, ko, k, u, p, pt, ps, rs, rt, ct)"
    " WHERE r.migration = $1 AND r.schema_name = u.s AND r.table_name = u.t AND r.source_oid = u.o"
    "   AND r.copy_state = 'pending'";

static const char cuts_sql[] =
    "UPDATE penstock.relation r SET part_cuts = u.cuts::text[]"
    "  FROM unnest($2::text[], $3::text[], $4::text[]) AS u (s, t, cuts)"
    " WHERE r.migration = $1 AND r.schema_name = u.s AND r.table_name = u.t AND r.part_column IS NOT NULL";

/* Nobody knows which of the rows below a table that they go through are whose: they are copied together, or not at all. */
static const char together_sql[] =
    "UPDATE penstock.relation r SET copy_state = 'pending', recopy_lsn = coalesce(r.recopy_lsn, r.copy_lsn, "
    "'0/0'),"
    "       recopy_reason = coalesce(r.recopy_reason, 'it is copied together with the others below the same "
    "table'),"
    "       copy_lsn = NULL, snapshot = NULL"
    "  FROM penstock.relation o WHERE r.migration = $1 AND r.copy_state = 'copied' AND o.migration = $1"
    "   AND o.copy_state = 'pending' AND o.route_table = r.route_table AND o.route_schema = r.route_schema";

/* Jobs of tables that are to be copied again. */
static const char forget_sql[] = "DELETE FROM penstock.job_relation jr USING penstock.relation r"
                                 " WHERE jr.relation = r.id AND r.migration = $1 AND r.copy_state = "
                                 "'pending' AND r.recopy_lsn IS NOT NULL";

/* A table that is copied again is copied whole: the applier stands still meanwhile. */
static const char whole_sql[] = "UPDATE penstock.relation SET part_column = NULL, part_cuts = NULL"
                                " WHERE migration = $1 AND copy_state = 'pending' AND recopy_lsn IS NOT NULL";

static const char jobs_sql[] =
    "WITH todo AS MATERIALIZED ("
    "  SELECT * FROM penstock.relation r WHERE r.migration = $1 AND r.copy_state = 'pending'"
    "     AND NOT EXISTS (SELECT FROM penstock.job_relation jr WHERE jr.relation = r.id)),"
    " pieces AS MATERIALIZED ("
    "  SELECT id, 'tables' AS kind, (row_number() OVER (ORDER BY id) - 1) / " SMALL_TOGETHER " AS set,"
    "         0 AS part, NULL::text AS first_key, NULL::text AS last_key, source_bytes AS bytes"
    "    FROM todo WHERE part_cuts IS NULL AND route_table IS NULL AND source_bytes < " SMALL_BYTES
    "  UNION ALL SELECT id, 'tables', -dense_rank() OVER (ORDER BY route_schema, route_table), 0, NULL, "
    "NULL, source_bytes"
    "    FROM todo WHERE route_table IS NOT NULL"
    "  UNION ALL SELECT id, 'table', id, 0, NULL, NULL, source_bytes"
    "    FROM todo WHERE part_cuts IS NULL AND route_table IS NULL AND source_bytes >= " SMALL_BYTES
    "  UNION ALL SELECT id, 'part', id, n - 1, part_cuts[n - 1], part_cuts[n], source_bytes / "
    "(cardinality(part_cuts) + 1)"
    "    FROM todo, generate_series(1, cardinality(part_cuts) + 1) AS n WHERE part_cuts IS NOT NULL),"
    " sets AS MATERIALIZED ("
    "  SELECT kind, set, part, first_key, last_key, sum(bytes) AS bytes,"
    "         (SELECT coalesce(max(rank), 0) FROM penstock.job WHERE migration = $1)"
    "         + row_number() OVER (ORDER BY sum(bytes) DESC, min(id), part) AS rank"
    "    FROM pieces GROUP BY kind, set, part, first_key, last_key),"
    " made AS ("
    "  INSERT INTO penstock.job (migration, kind, rank, part, first_key, last_key, source_bytes)"
    "  SELECT $1, kind, rank, CASE WHEN kind = 'part' THEN part END, first_key, last_key, bytes FROM sets "
    "ORDER BY rank RETURNING id, rank)"
    " INSERT INTO penstock.job_relation (job, relation)"
    " SELECT made.id, p.id FROM made JOIN sets s ON s.rank = made.rank"
    "   JOIN pieces p ON p.kind = s.kind AND p.set = s.set AND p.part = s.part";

/* A column of the rows as an array literal. */
static void make_array(const PGresult *rows, int column, Text *out)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        text_array_add(out, PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column));
    }
    text_array_end(out);
}

static int write_all(Database *target, const char *migration, const Text *arrays, Error *error)
{
    const char *schemas = arrays[PLAN_SCHEMA].data, *names = arrays[PLAN_TABLE].data;
    return database_execute(target, error, "BEGIN", 0) == 0 &&
                   database_execute(
                       target, error, shapes_sql, 17, migration, schemas, names, arrays[PLAN_OID].data,
                       arrays[PLAN_COLUMNS].data, arrays[PLAN_BINARY].data, arrays[PLAN_CONDITION].data,
                       arrays[PLAN_KEY_CLASS].data, arrays[PLAN_KEY_OBJECT].data, arrays[PLAN_KEY_SQL].data,
                       arrays[PLAN_UNIQUE].data, arrays[PLAN_PART_COLUMN].data, arrays[PLAN_PART_TYPE].data,
                       arrays[PLAN_PART_SCAN].data, arrays[PLAN_ROUTE_SCHEMA].data,
                       arrays[PLAN_ROUTE_TABLE].data, arrays[PLAN_COLUMN_TYPES].data) == 0 &&
                   database_execute(target, error, cuts_sql, 4, migration, schemas, names,
                                    arrays[PLAN_CUTS].data) == 0 &&
                   database_execute(target, error, together_sql, 1, migration) == 0 &&
                   database_execute(target, error, forget_sql, 1, migration) == 0 &&
                   database_execute(target, error, whole_sql, 1, migration) == 0 &&
                   database_execute(target, error, jobs_sql, 1, migration) == 0 &&
                   database_execute(target, error, "COMMIT", 0) == 0
               ? 0
               : -1;
}

static int read_ends(Database *source, Database *target, PlanEnds *out, Error *error)
{
    static const char sql[] = "SELECT encoding, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' AND "
                              "datcollate IN ('C', 'POSIX')"
                              "  FROM pg_catalog.pg_database d WHERE datname = pg_catalog.current_database()";
    PGresult *theirs = NULL, *ours = NULL;
    int status = database_query(source, &theirs, error, sql, 0) == 0
                     ? database_query(target, &ours, error, sql, 0)
                     : -1;
    if (status == 0) {
        const char *encoding = PQgetvalue(theirs, 0, 0);
        out->other_encoding = strcmp(encoding, PQgetvalue(ours, 0, 0)) != 0;
        out->bytes_mean_the_same = !out->other_encoding && strcmp(encoding, "0") != 0;
        out->bytes_order = PQgetvalue(theirs, 0, 1)[0] == 't' && PQgetvalue(ours, 0, 1)[0] == 't';
    }
    PQclear(theirs);
    PQclear(ours);
    return status;
}

int plan_write(Database *source, Database *target, const char *migration, const PlanOptions *options,
               Error *error)
{
    PGresult *rows = NULL;
    Text arrays[PLAN_COLUMN_COUNT] = {{0}};
    PlanEnds ends = {0};
    if (read_ends(source, target, &ends, error) != 0 ||
        plan_read_source(source, options, &ends, &rows, error) != 0) {
        return -1;
    }
    for (int column = 0; column < PLAN_COLUMN_COUNT; column++) {
        make_array(rows, column, &arrays[column]);
    }
    PQclear(rows);
    int status = write_all(target, migration, arrays, error);
    for (int column = 0; column < PLAN_COLUMN_COUNT; column++) {
        text_free(&arrays[column]);
    }
    if (status != 0) {
        Error ignored;
        (void)!database_execute(target, &ignored, "ROLLBACK", 0);
        return error_context(error, "writing down what is to be copied");
    }
    return 0;
}

int plan_find_uncut(Database *source, Database *target, int part_mb, PGresult **rows, Error *error)
{
    const PlanOptions options = {.part_mb = part_mb};
    PlanEnds ends = {0};
    return read_ends(source, target, &ends, error) == 0
               ? plan_read_uncut(source, &options, &ends, rows, error)
               : -1;
}
