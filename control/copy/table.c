/*
 * Columns are named on both ends, so that their order does not matter. Binary needs of every column that its
 * type, beneath domains and as an array's element or range's subtype, is built in (OID below 10000), has send
 * and receive functions, and is not one of those that hold OIDs of this one database.
 *
 * The target's table is emptied in the transaction that fills it: that makes FREEZE possible, and a crash
 * leaves all rows or none. A table that foreign keys point to, which is so when it is copied again, can only be emptied by
 * DELETE; there, no FREEZE. And of an extension's table must rows stay that are the extension's own; there,
 * no FREEZE.
 */
#include "table.h"

#include "format.h"

#include <stdlib.h>
#include <string.h>

static const char shape_sql[] =
    "WITH RECURSIVE base AS ("
    "  SELECT a.attnum, a.attname, a.atttypid AS type, c.oid AS relation"
    "    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    "    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "   WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
    "     AND coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') = ''"
    "  UNION ALL"
    "  SELECT b.attnum, b.attname, t.typbasetype, b.relation"
    "    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype = 'd'),"
    " leaf AS ("
    "  SELECT b.attnum, b.attname, b.relation, " FORMAT_PORTABLE(
        "t",
        "e") " AS portable"
             "    FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd'"
             "    LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem)"
             " SELECT l.attname, l.portable, x.condition FROM leaf l"
             "   LEFT JOIN LATERAL ("
             "     SELECT e.extcondition[pg_catalog.array_position(e.extconfig, l.relation)] AS condition"
             "       FROM pg_catalog.pg_extension e WHERE l.relation = ANY (e.extconfig)) x ON true"
             " ORDER BY l.attnum";

static void append_quoted(Text *text, const char *identifier)
{
    char *quoted = database_quote(identifier);
    text_append(text, quoted);
    free(quoted);
}

static void append_columns(Text *text, const TableShape *shape)
{
    for (int i = 0; i < shape->column_count; i++) {
        text_append(text, i > 0 ? ", " : "");
        append_quoted(text, shape->columns[i]);
    }
}

static void append_name(Text *text, const TableShape *shape)
{
    append_quoted(text, shape->schema);
    text_append(text, ".");
    append_quoted(text, shape->table);
}

/* "schema"."table" ("a", "b"); without columns there is no list. */
static void append_target(Text *text, const TableShape *shape)
{
    append_name(text, shape);
    if (shape->column_count > 0) {
        text_append(text, " (");
        append_columns(text, shape);
        text_append(text, ")");
    }
}

static bool has_condition(const TableShape *shape)
{
    return shape->condition != NULL && shape->condition[0] != '\0';
}

static void build_out(const TableShape *shape, Text *out)
{
    text_append(out, "COPY ");
    if (has_condition(shape)) {
        text_append(out, "(SELECT ");
        append_columns(out, shape);
        text_append(out, " FROM ONLY ");
        append_name(out, shape);
        text_printf(out, " %s)", shape->condition);
    } else {
        append_target(out, shape);
    }
    text_append(out, shape->binary ? " TO STDOUT WITH (FORMAT binary)" : " TO STDOUT");
}

void table_copy_build(const TableShape *shape, TableCopy *out)
{
    *out = (TableCopy){0};
    bool frozen = !has_condition(shape) && !shape->referenced;
    text_append(&out->clear, frozen ? "TRUNCATE ONLY " : "DELETE FROM ONLY ");
    append_name(&out->clear, shape);
    if (has_condition(shape)) {
        text_printf(&out->clear, " %s", shape->condition);
    }
    build_out(shape, &out->out);
    text_append(&out->in, "COPY ");
    append_target(&out->in, shape);
    text_printf(&out->in, " FROM STDIN WITH (FORMAT %s%s)", shape->binary ? "binary" : "text",
                frozen ? ", FREEZE true" : "");
}

static int table_exists(Database *source, const char *schema, const char *table, Error *error)
{
    char *one = NULL;
    if (database_value(
            source, &one, error,
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'r'",
            2, schema, table) != 0) {
        return -1;
    }
    if (one == NULL) {
        error_set(error, ERROR_SOURCE, "it is gone from the source since the copy began");
        return error_hint(error,
                          "DDL during a migration is not supported: start over with `penstock finish` and "
                          "an empty target");
    }
    free(one);
    return 0;
}

static int table_is_referenced(Database *target, const char *schema, const char *table, bool *referenced,
                               Error *error)
{
    return database_found(target, referenced, error,
                          "SELECT 1 FROM pg_catalog.pg_constraint k"
                          "  JOIN pg_catalog.pg_class c ON c.oid = k.confrelid AND k.conrelid <> k.confrelid"
                          "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                          " WHERE k.contype = 'f' AND n.nspname = $1 AND c.relname = $2 LIMIT 1",
                          2, schema, table);
}

int table_copy_describe(Database *source, Database *target, const char *schema, const char *table,
                        TableCopy *out, Error *error)
{
    PGresult *rows = NULL;
    bool referenced = false;
    if (table_exists(source, schema, table, error) != 0 ||
        table_is_referenced(target, schema, table, &referenced, error) != 0 ||
        database_query(source, &rows, error, shape_sql, 2, schema, table) != 0) {
        return -1;
    }
    int count = PQntuples(rows);
    const char **columns = calloc((size_t)count + 1, sizeof(*columns));
    if (columns == NULL) {
        abort();
    }
    TableShape shape = {.schema = schema,
                        .table = table,
                        .columns = columns,
                        .column_count = count,
                        .binary = true,
                        .referenced = referenced};
    for (int i = 0; i < count; i++) {
        columns[i] = PQgetvalue(rows, i, 0);
        shape.binary = shape.binary && strcmp(PQgetvalue(rows, i, 1), "t") == 0;
        shape.condition = PQgetvalue(rows, i, 2);
    }
    table_copy_build(&shape, out);
    free(columns);
    PQclear(rows);
    return 0;
}

void table_copy_free(TableCopy *copy)
{
    text_free(&copy->clear);
    text_free(&copy->out);
    text_free(&copy->in);
}
