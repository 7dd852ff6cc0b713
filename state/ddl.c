#include "ddl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A place as parameters. */
typedef struct PlaceText {
    char lsn[LSN_TEXT_SIZE];
    char sequence[24];
} PlaceText;

static PlaceText write_place(const DdlPlace *place)
{
    PlaceText out;
    lsn_format(place->commit_lsn, out.lsn);
    snprintf(out.sequence, sizeof out.sequence, "%llu", (unsigned long long)place->sequence);
    return out;
}

static DdlDecision decision_of(const char *text)
{
    static const char *const names[] = {
        [DECISION_APPLY] = "apply", [DECISION_SKIP] = "skip", [DECISION_EDIT] = "edit"};
    for (DdlDecision i = DECISION_APPLY; i <= DECISION_EDIT; i++) {
        if (strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return DECISION_NONE;
}

int state_ddl_decided(Database *target, const DdlPlace *place, DdlDecided *out, Error *error)
{
    PGresult *row = NULL;
    PlaceText text = write_place(place);
    *out = (DdlDecided){0};
    if (database_query(target, &row, error,
                       "SELECT id, decision, edited, edited_as_target FROM penstock.ddl WHERE migration = $1 "
                       "AND commit_lsn = "
                       "$2::pg_lsn AND "
                       "sequence = $3::int8",
                       3, place->migration, text.lsn, text.sequence) != 0) {
        return error_context(error, "asking what was decided about DDL");
    }
    if (PQntuples(row) == 1) {
        out->id = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
        out->decision = decision_of(PQgetvalue(row, 0, 1));
        out->edited = PQgetisnull(row, 0, 2) ? NULL : strdup(PQgetvalue(row, 0, 2));
        out->as_target = out->decision == DECISION_EDIT && PQgetvalue(row, 0, 3)[0] == 't';
    }
    PQclear(row);
    return 0;
}

int state_ddl_record(Database *target, const DdlRecord *record, int64_t *id, Error *error)
{
    char *text = NULL, at[40], milliseconds[40];
    PlaceText place = write_place(&record->place);
    snprintf(at, sizeof at, "%.6f", record->at);
    snprintf(milliseconds, sizeof milliseconds, "%.3f", record->milliseconds);
    if (database_value(
            target, &text, error,
            "INSERT INTO penstock.ddl AS d (migration, commit_lsn, sequence, made_at, role, tag, statement, "
            "state, reason, "
            "  ran, milliseconds, ended_at) "
            "VALUES ($1, $2::pg_lsn, $3::int8, to_timestamp(nullif($4, '0.000000')::float8), $5, $6, $7, $8, "
            "$9, $10, "
            "  CASE WHEN $8 = 'applied' THEN $11::float8 END, CASE WHEN $8 <> 'waiting' THEN "
            "clock_timestamp() END) "
            "ON CONFLICT (migration, commit_lsn, sequence) DO UPDATE SET state = excluded.state, reason = "
            "excluded.reason, "
            "  statement = excluded.statement, ran = excluded.ran, milliseconds = excluded.milliseconds, "
            "  ended_at = excluded.ended_at, "
            "  decision = CASE WHEN excluded.state <> 'waiting' THEN d.decision END "
            "RETURNING id",
            11, record->place.migration, place.lsn, place.sequence, at, record->role, record->tag,
            record->statement, record->state, record->reason, record->ran, milliseconds) != 0) {
        return error_context(error, "writing down DDL");
    }
    *id = text != NULL ? strtoll(text, NULL, 10) : 0;
    free(text);
    return 0;
}

int state_ddl_key(Database *target, const char *migration, char **token, char **seen, Error *error)
{
    PGresult *row = NULL;
    *token = *seen = NULL;
    if (database_query(target, &row, error,
                       "SELECT encode(ddl_token, 'hex'), schema_seen FROM penstock.migration WHERE name = $1",
                       1, migration) != 0) {
        return error_context(error, "asking how captured DDL is sealed");
    }
    if (PQntuples(row) == 1) {
        *token = PQgetisnull(row, 0, 0) ? NULL : strdup(PQgetvalue(row, 0, 0));
        *seen = PQgetisnull(row, 0, 1) ? NULL : strdup(PQgetvalue(row, 0, 1));
    }
    PQclear(row);
    return 0;
}

int state_ddl_set_key(Database *target, const char *migration, const char *token, Error *error)
{
    return database_execute(target, error,
                            "UPDATE penstock.migration SET ddl_token = decode($2, 'hex') WHERE name = $1", 2,
                            migration, token);
}

int state_ddl_set_seen(Database *target, const char *migration, const char *seen, Error *error)
{
    return database_execute(target, error, "UPDATE penstock.migration SET schema_seen = $2 WHERE name = $1",
                            2, migration, seen);
}

/*
 * A table may have got the name of one that the same statement, or an earlier one, took it from: what has the name otherwise goes.
 */
#define COLUMN_NAME(column) "substring(" column " FROM '^[0-9]+:[0-9]+:-?[0-9]+:(.*)$')"

/*
 * A column of the key by whose ranges a table is copied keeps its number, whatever its name is by now. Of a table whose
 * definition cannot have changed the source says no more than which one it is.
 */
static const char known_sql[] =
    "UPDATE penstock.relation r SET schema_name = t.value ->> 'schema', table_name = t.value ->> 'name', "
    "  source_columns = ARRAY(SELECT jsonb_array_elements_text(t.value -> 'columns')), "
    "  columns = coalesce(t.value ->> 'list', ''), in_binary = false, "
    "  key_sql = CASE WHEN r.key_sql IS NOT NULL THEN t.value ->> 'key' END, "
    "  part_column = CASE WHEN r.part_column IS NOT NULL THEN (SELECT " COLUMN_NAME(
        "c") " FROM "
             "    jsonb_array_elements_text(t.value -> 'columns') c WHERE split_part(c, ':', 1) = (SELECT "
             "split_part(o, ':', 1) "
             "      FROM unnest(r.source_columns) o WHERE " COLUMN_NAME(
                 "o") " = r.part_column)) END "
                      "FROM jsonb_array_elements($2::jsonb) t "
                      "WHERE r.migration = $1 AND r.source_oid = (t.value ->> 'oid')::oid AND t.value ? "
                      "'columns'";

static const char created_sql[] =
    "INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_columns, "
    "source_bytes, copy_state, "
    "  copy_lsn, copied_at) "
    "SELECT $1, t.value ->> 'schema', t.value ->> 'name', (t.value ->> 'oid')::oid, "
    "  ARRAY(SELECT jsonb_array_elements_text(t.value -> 'columns')), 0, 'copied', $3::pg_lsn, "
    "clock_timestamp() "
    "FROM jsonb_array_elements($2::jsonb) t WHERE t.value ->> 'kind' = 'r' "
    "  AND NOT EXISTS (SELECT FROM penstock.relation o WHERE o.migration = $1 AND o.source_oid = (t.value "
    "->> 'oid')::oid) "
    "  AND NOT EXISTS (SELECT FROM penstock.left_behind l WHERE l.migration = $1 AND l.source_oid = (t.value "
    "->> 'oid')::oid) "
    "ON CONFLICT (migration, schema_name, table_name) DO UPDATE SET source_oid = excluded.source_oid, "
    "  source_columns = excluded.source_columns, copy_state = 'copied', copy_lsn = excluded.copy_lsn, "
    "snapshot = NULL, "
    "  part_column = NULL, part_cuts = NULL, recopy_lsn = NULL, recopy_reason = NULL";

static const char dropped_sql[] =
    "DELETE FROM penstock.relation r USING jsonb_array_elements($2::jsonb) d "
    "WHERE r.migration = $1 AND d.value ->> 'class' = 'pg_class' AND r.source_oid = (d.value ->> 'oid')::oid";

/* What the copy has yet to make, of what is gone. */
static const char unmade_sql[] =
    "UPDATE penstock.schema_object o SET state = 'left out', words = 'dropped at the source meanwhile' "
    "FROM jsonb_array_elements($2::jsonb) d "
    "WHERE o.migration = $1 AND o.state IN ('waiting', 'refused') AND o.object_oid = (d.value ->> "
    "'oid')::oid "
    "  AND o.class_oid = (d.value ->> 'class')::regclass";

int state_ddl_tables(Database *target, const DdlPlace *place, const char *tables, const char *dropped,
                     bool created, Error *error)
{
    PlaceText text = write_place(place);
    int status = 0;
    if (dropped != NULL) {
        status = database_execute(target, error, dropped_sql, 2, place->migration, dropped) == 0
                     ? database_execute(target, error, unmade_sql, 2, place->migration, dropped)
                     : -1;
    }
    if (status == 0 && tables != NULL) {
        status = database_often(target, NULL, error, known_sql, 2, place->migration, tables);
    }
    if (status == 0 && tables != NULL && created) {
        status = database_execute(target, error, created_sql, 3, place->migration, tables, text.lsn);
    }
    return status == 0 ? 0 : error_context(error, "writing down the tables that DDL has changed");
}

int state_ddl_stays_behind(Database *target, const char *migration, const char *tables, const char *dropped,
                           bool *stays, Error *error)
{
    return database_found(
        target, stays, error,
        "SELECT 1 FROM (SELECT (t.value ->> 'oid')::oid AS oid FROM jsonb_array_elements(coalesce($2::jsonb, "
        "'[]')) t "
        "  UNION SELECT (d.value ->> 'oid')::oid FROM jsonb_array_elements(coalesce($3::jsonb, '[]')) d "
        "  WHERE d.value ->> 'class' = 'pg_class' AND d.value ->> 'original' = 'true') a "
        "HAVING bool_and(EXISTS (SELECT FROM penstock.left_behind l WHERE l.migration = $1 AND l.source_oid "
        "= a.oid "
        "  AND l.extent = 'all'))",
        3, migration, tables, dropped);
}

int state_ddl_is_unmade(Database *target, const char *migration, const char *dropped, bool *unmade,
                        Error *error)
{
    return database_found(
        target, unmade, error,
        "SELECT 1 FROM jsonb_array_elements(coalesce($2::jsonb, '[]')) d WHERE d.value ->> 'original' = "
        "'true' "
        "HAVING bool_and(EXISTS (SELECT FROM penstock.schema_object o WHERE o.migration = $1 AND o.state IN "
        "  ('waiting', 'refused') AND o.object_oid = (d.value ->> 'oid')::oid AND o.class_oid = "
        "  (d.value ->> 'class')::regclass))",
        2, migration, dropped);
}

int state_ddl_knows(Database *target, const char *migration, const char *oid, bool *known, Error *error)
{
    return database_found(target, known, error,
                          "SELECT 1 FROM penstock.relation WHERE migration = $1 AND source_oid = $2::oid", 2,
                          migration, oid);
}

int state_ddl_created(Database *target, const char *migration, const char *schema, const char *table,
                      uint32_t oid, const char *columns, Lsn commit_lsn, Error *error)
{
    char number[16], lsn[LSN_TEXT_SIZE];
    snprintf(number, sizeof number, "%u", oid);
    return database_execute(
        target, error,
        "INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_columns, "
        "source_bytes, "
        "copy_state, copy_lsn, copied_at) VALUES ($1, $2, $3, $4::oid, $5::text[], 0, 'copied', $6::pg_lsn, "
        "clock_timestamp())",
        6, migration, schema, table, number, columns, lsn_format(commit_lsn, lsn));
}

/*
 * While the copy is at work, its jobs are done again, under a snapshot that sees the statement: the stream is not past it
 * then. Behind the copy the table waits for the next one, and its changes are left out meanwhile.
 */
static const char beside_sql[] = "WITH asked AS (SELECT r.id, r.schema_name, r.table_name FROM "
                                 "penstock.relation r JOIN jsonb_array_elements($2::jsonb) a "
                                 "       ON r.source_oid = (a.value ->> 'oid')::oid WHERE r.migration = $1), "
                                 " again AS (UPDATE penstock.job j SET state = 'pending', anew = true, "
                                 "snapshot = NULL FROM penstock.job_relation jr "
                                 "       WHERE j.migration = $1 AND j.state = 'done' AND jr.job = j.id AND "
                                 "jr.relation IN (SELECT id FROM asked) RETURNING jr.relation), "
                                 " waits AS (UPDATE penstock.relation r SET copy_state = 'pending', copy_lsn "
                                 "= NULL, snapshot = NULL FROM again "
                                 "       WHERE r.id = again.relation RETURNING r.id) "
                                 "SELECT string_agg(concat(schema_name, '.', table_name), ', ') FROM asked, "
                                 "(SELECT count(*) FROM waits) w";

static const char behind_sql[] =
    "WITH marked AS (UPDATE penstock.relation r SET copy_state = 'pending', copy_lsn = NULL, snapshot = "
    "NULL, part_column = NULL, "
    "       recopy_lsn = coalesce(r.recopy_lsn, $3::pg_lsn), recopy_reason = coalesce(r.recopy_reason, $4) "
    "       FROM jsonb_array_elements($2::jsonb) a WHERE r.migration = $1 AND r.source_oid = (a.value ->> "
    "'oid')::oid "
    "       RETURNING r.schema_name, r.table_name) "
    "SELECT string_agg(concat(schema_name, '.', table_name), ', ') FROM marked";

int state_ddl_recopy(Database *target, const DdlPlace *place, const char *oids, const char *reason,
                     char **names, Error *error)
{
    bool copying = false;
    PlaceText text = write_place(place);
    *names = NULL;
    int status =
        database_found(target, &copying, error,
                       "SELECT 1 FROM penstock.migration WHERE name = $1 AND phase IN ('created', 'copying')",
                       1, place->migration);
    if (status == 0 && copying) {
        status = database_value(target, names, error, beside_sql, 2, place->migration, oids);
    } else if (status == 0) {
        status =
            database_value(target, names, error, behind_sql, 4, place->migration, oids, text.lsn, reason);
    }
    return status == 0 ? 0 : error_context(error, "noting that tables have to be copied anew");
}
