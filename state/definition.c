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

#define KNOWN STATE_COLUMNS_PARTS("l.source_columns")
#define NOW STATE_COLUMNS_PARTS("a.columns::text[]")

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

int definitions_add(Database *target, const char *ids, const char *columns, Error *error)
{
    return database_execute(target, error, add_sql, 2, ids, columns);
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
