/*
 * Columns are kept as texts "number:type:typmod:name", which arrays carry without more ado. Only columns that both have are
 * compared: one that is new changes no value that is there, and one that was dropped has no values any more; but it stays
 * remembered, so that a later one of its name is known to be another.
 *
 * What is remembered stays as it was when the table was copied: after a restart the stream may begin with an earlier
 * definition again, and that one must pass, too.
 */
#include "definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void definition_add_column(Text *columns, uint32_t number, uint32_t type, int32_t typmod, const char *name)
{
    Text one = {0};
    text_printf(&one, "%u:%u:%d:%s", number, type, typmod, name);
    text_array_add(columns, one.data);
    text_free(&one);
}

/* The parts of columns are looked at only where they are not the very same: nearly nowhere, and it costs more than all the rest. */
#define KNOWN STATE_COLUMNS_PARTS("l.source_columns")
#define NOW STATE_COLUMNS_PARTS("a.columns::text[]")
#define CHANGED_COLUMN STATE_CHANGED_COLUMN_SQL("l.source_columns", "a.columns::text[]")

static const char compare_sql[] =
    "SELECT a.n, l.id, l.source_oid <> a.oid, l.copy_lsn, "
    "  CASE WHEN l.id IS NULL OR l.source_oid <> a.oid THEN "
    "    (SELECT format('%I.%I', o.schema_name, o.table_name) FROM penstock.relation o "
    "     WHERE o.migration = $1::text AND o.source_oid = a.oid LIMIT 1) END, "
    "  CASE WHEN l.source_columns IS DISTINCT FROM a.columns::text[] THEN " CHANGED_COLUMN " END, "
    "  CASE WHEN l.source_columns IS DISTINCT FROM a.columns::text[] THEN "
    "    EXISTS (SELECT FROM " NOW " n WHERE n.name NOT IN (SELECT name FROM " KNOWN " b)) ELSE false END "
    "FROM unnest($2::text[], $3::text[], $4::oid[], $5::text[]) WITH ORDINALITY "
    "  AS a (schema_name, table_name, oid, columns, n) "
    "LEFT JOIN LATERAL (SELECT * FROM penstock.relation r WHERE r.migration = $1::text "
    "    AND r.schema_name = a.schema_name AND r.table_name = a.table_name OFFSET 0) l ON true "
    "ORDER BY a.n";

enum { ORDINAL, NUMBER, OTHER, COPY_LSN, KNOWN_AS, CHANGED, NEWS };

static char *text_of(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : strdup(PQgetvalue(result, row, column));
}

static void read_found(const PGresult *result, int row, DefinitionFound *found)
{
    found->listed = !PQgetisnull(result, row, NUMBER);
    found->number = strtoll(PQgetvalue(result, row, NUMBER), NULL, 10);
    found->other_table = PQgetvalue(result, row, OTHER)[0] == 't';
    found->news = found->listed && PQgetvalue(result, row, NEWS)[0] == 't';
    found->known_as = text_of(result, row, KNOWN_AS);
    found->changed = text_of(result, row, CHANGED);
    if (!lsn_parse(PQgetvalue(result, row, COPY_LSN), &found->copy_lsn)) {
        found->copy_lsn = LSN_INVALID;
    }
}

int definitions_compare(Database *target, const char *migration, const Definition *now, size_t count,
                        DefinitionFound *found, Error *error)
{
    Text arrays[4] = {{0}};
    PGresult *result = NULL;
    memset(found, 0, count * sizeof *found);
    for (size_t i = 0; i < count; i++) {
        char oid[16];
        snprintf(oid, sizeof oid, "%u", now[i].oid);
        text_array_add(&arrays[0], now[i].schema);
        text_array_add(&arrays[1], now[i].table);
        text_array_add(&arrays[2], oid);
        text_array_add(&arrays[3], now[i].columns);
    }
    for (int i = 0; i < 4; i++) {
        text_array_end(&arrays[i]);
    }
    int status = database_often(target, &result, error, compare_sql, 5, migration, arrays[0].data,
                                arrays[1].data, arrays[2].data, arrays[3].data);
    for (int row = 0; status == 0 && row < PQntuples(result); row++) {
        size_t n = strtoul(PQgetvalue(result, row, ORDINAL), NULL, 10);
        if (n >= 1 && n <= count) {
            read_found(result, row, &found[n - 1]);
        }
    }
    PQclear(result);
    for (int i = 0; i < 4; i++) {
        text_free(&arrays[i]);
    }
    return status == 0 ? 0 : error_context(error, "comparing %zu tables with what was copied", count);
}

void definitions_clear(DefinitionFound *found, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(found[i].known_as);
        free(found[i].changed);
        found[i] = (DefinitionFound){0};
    }
}

static const char add_sql[] =
    "UPDATE penstock.relation AS l SET source_columns = array_cat(coalesce(l.source_columns, '{}'), ARRAY("
    "  SELECT concat_ws(':', n.number, n.type, n.typmod, n.name) FROM " NOW " n"
    "  WHERE n.name NOT IN (SELECT name FROM " KNOWN " b))) "
    "FROM unnest($1::int8[], $2::text[]) AS a (id, columns) WHERE l.id = a.id";

int definitions_add(Database *target, const Definition *now, const DefinitionFound *found, size_t count,
                    Error *error)
{
    Text ids = {0}, columns = {0};
    size_t news = 0;
    for (size_t i = 0; i < count; i++) {
        if (found[i].news) {
            char id[24];
            snprintf(id, sizeof id, "%lld", (long long)found[i].number);
            text_array_add(&ids, id);
            text_array_add(&columns, now[i].columns);
            news++;
        }
    }
    text_array_end(&ids);
    text_array_end(&columns);
    int status = news == 0 ? 0 : database_execute(target, error, add_sql, 2, ids.data, columns.data);
    text_free(&ids);
    text_free(&columns);
    return status == 0 ? 0 : error_context(error, "remembering new columns of %zu tables", news);
}

int definition_note_replaced(Database *target, const char *migration, const Definition *now, Lsn commit_lsn,
                             const char *reason, Error *error)
{
    char oid[16], lsn[LSN_TEXT_SIZE];
    snprintf(oid, sizeof oid, "%u", now->oid);
    if (database_execute(target, error,
                         "UPDATE penstock.relation SET source_oid = $4::oid, source_columns = $5::text[], "
                         "copy_state = 'pending', copy_lsn = NULL, snapshot = NULL, part_column = NULL, "
                         "recopy_lsn = $6::pg_lsn, recopy_reason = $7 "
                         "WHERE migration = $1 AND schema_name = $2 AND table_name = $3",
                         7, migration, now->schema, now->table, oid, now->columns,
                         lsn_format(commit_lsn, lsn), reason) != 0) {
        return error_context(error, "noting that %s.%s has to be copied again", now->schema, now->table);
    }
    return 0;
}
