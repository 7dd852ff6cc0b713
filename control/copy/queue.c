/*
 * Between claim and hold lies a moment without a lock, in which another worker may take the claim for a dead
 * one's. started_at is the token by which the first one notices: its hold finds no row.
 */
#include "queue.h"

#include "definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table of that name that is not the one that was listed, or has a column that is not, has to be copied again. */
#define ANOTHER                                                                                              \
    "(relation.source_oid <> excluded.source_oid OR " STATE_CHANGED_COLUMN_SQL(                              \
        "relation.source_columns", "excluded.source_columns") " IS NOT NULL)"

int queue_fill(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS], Error *error)
{
    return database_execute(
        target, error,
        "INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes, "
        "source_columns)"
        " SELECT $1, s, t, o, b, c::text[] FROM unnest($2::text[], $3::text[], $4::oid[], $5::int8[], "
        "$6::text[])"
        "                            AS u (s, t, o, b, c)"
        " ON CONFLICT (migration, schema_name, table_name) DO UPDATE SET copy_state = 'pending',"
        "    source_oid = excluded.source_oid, source_columns = excluded.source_columns,"
        "    recopy_lsn = coalesce(relation.recopy_lsn, relation.copy_lsn), recopy_reason ="
        "      CASE WHEN relation.recopy_lsn IS NULL AND relation.copy_lsn IS NOT NULL THEN"
        "        'at the source it is another one, or has another column, than was copied'"
        "      ELSE relation.recopy_reason END,"
        "    copy_lsn = NULL, snapshot = NULL, part_column = NULL"
        "    WHERE relation.copy_state = 'copied' AND (relation.recopy_lsn IS NOT NULL OR " ANOTHER ")"
        "       OR relation.copy_state <> 'copied' AND " ANOTHER,
        6, migration, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]);
}

int queue_leave_dropped(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
                        Error *error)
{
    return database_execute(target, error,
                            "UPDATE penstock.relation SET copy_state = 'copied'"
                            " WHERE migration = $1 AND copy_state <> 'copied' AND recopy_lsn IS NOT NULL"
                            "   AND (schema_name, table_name) NOT IN (SELECT * FROM unnest($2::text[], "
                            "$3::text[]))",
                            3, migration, arrays[0], arrays[1]);
}

int queue_waiting(Database *target, const char *migration, char **tables, Error *error)
{
    return database_value(
        target, tables, error,
        "SELECT string_agg(format('%I.%I', schema_name, table_name), ', ' ORDER BY schema_name, "
        "table_name) FROM penstock.relation WHERE migration = $1 AND copy_state <> 'copied'",
        1, migration);
}

int queue_totals(Database *target, const char *migration, QueueTotals *out, Error *error)
{
    PGresult *row = NULL;
    if (database_query(target, &row, error,
                       "SELECT count(*), count(*) FILTER (WHERE copy_state = 'copied'),"
                       "       coalesce(sum(source_bytes), 0),"
                       "       coalesce(sum(source_bytes) FILTER (WHERE copy_state = 'copied'), 0),"
                       "       coalesce(sum(copied_rows), 0), coalesce(sum(copied_bytes), 0)"
                       "  FROM penstock.relation WHERE migration = $1",
                       1, migration) != 0) {
        return -1;
    }
    int64_t *const fields[] = {&out->tables, &out->tables_done, &out->source_bytes, &out->source_bytes_done,
                               &out->rows,   &out->bytes};
    for (int i = 0; i < 6; i++) {
        *fields[i] = strtoll(PQgetvalue(row, 0, i), NULL, 10);
    }
    PQclear(row);
    return 0;
}

/* MATERIALIZED: as a plain subquery the choice could be made once per row of a join, and claim several tables. */
static const char claim_sql[] =
    "WITH next AS MATERIALIZED ("
    "  SELECT schema_name, table_name FROM penstock.relation"
    "   WHERE migration = $1 AND copy_state <> 'copied'"
    "   ORDER BY copy_state = 'copying', source_bytes DESC, schema_name, table_name"
    "   LIMIT 1 FOR UPDATE SKIP LOCKED)"
    " UPDATE penstock.relation r SET copy_state = 'copying', started_at = clock_timestamp() FROM next"
    "  WHERE r.migration = $1 AND r.schema_name = next.schema_name AND r.table_name = next.table_name"
    " RETURNING r.schema_name, r.table_name, r.started_at::text, r.source_bytes";

int queue_claim(Database *target, const char *migration, Claim *out, bool *found, Error *error)
{
    PGresult *row = NULL;
    if (database_query(target, &row, error, claim_sql, 1, migration) != 0) {
        return -1;
    }
    *found = PQntuples(row) == 1;
    if (*found) {
        snprintf(out->schema, sizeof(out->schema), "%s", PQgetvalue(row, 0, 0));
        snprintf(out->table, sizeof(out->table), "%s", PQgetvalue(row, 0, 1));
        snprintf(out->token, sizeof(out->token), "%s", PQgetvalue(row, 0, 2));
        out->source_bytes = strtoll(PQgetvalue(row, 0, 3), NULL, 10);
    }
    PQclear(row);
    return 0;
}

int queue_hold(Database *target, const char *migration, const Claim *claim, bool *held, Error *error)
{
    return database_found(target, held, error,
                          "SELECT 1 FROM penstock.relation WHERE migration = $1 AND schema_name = $2"
                          "   AND table_name = $3 AND copy_state = 'copying' AND started_at = $4::timestamptz"
                          "   FOR UPDATE SKIP LOCKED",
                          4, migration, claim->schema, claim->table, claim->token);
}

int queue_copied(Database *target, const char *migration, const Claim *claim, Lsn lsn, int64_t rows,
                 int64_t bytes, Error *error)
{
    char lsn_text[LSN_TEXT_SIZE], rows_text[32], bytes_text[32];
    snprintf(rows_text, sizeof(rows_text), "%lld", (long long)rows);
    snprintf(bytes_text, sizeof(bytes_text), "%lld", (long long)bytes);
    return database_execute(
        target, error,
        "UPDATE penstock.relation SET copy_state = 'copied', copy_lsn = $4::pg_lsn, recopy_lsn = NULL, "
        "recopy_reason = NULL,"
        "       copied_rows = $5::int8, copied_bytes = $6::int8, copied_at = clock_timestamp()"
        " WHERE migration = $1 AND schema_name = $2 AND table_name = $3",
        6, migration, claim->schema, claim->table, lsn_format(lsn, lsn_text), rows_text, bytes_text);
}

int queue_analyze(Database *target, const char *migration, PGresult **out, Error *error)
{
    return database_query(target, out, error,
                          "SELECT format('ANALYZE %I.%I', schema_name, table_name) FROM penstock.relation"
                          " WHERE migration = $1 AND copy_state <> 'copied'",
                          1, migration);
}

int queue_step_event(Database *target, const char *migration, const char *step, char event[16], Error *error)
{
    char *last = NULL;
    if (database_value(
            target, &last, error,
            "SELECT event FROM penstock.journal WHERE migration = $1 AND operation = 'copy' AND step = $2"
            "   AND id > coalesce((SELECT max(id) FROM penstock.journal"
            "                       WHERE migration = $1 AND operation = 'finish'), 0)"
            " ORDER BY id DESC LIMIT 1",
            2, migration, step) != 0) {
        return -1;
    }
    snprintf(event, 16, "%s", last != NULL ? last : "");
    free(last);
    return 0;
}

int queue_migration_exists(Database *target, const char *migration, bool *exists, Error *error)
{
    return database_found(target, exists, error, "SELECT 1 FROM penstock.migration WHERE name = $1", 1,
                          migration);
}
