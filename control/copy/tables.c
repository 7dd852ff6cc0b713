#include "tables.h"

#include "definition.h"
#include "left_behind.h"

static const char tables_sql[] =
    "SELECT n.nspname, c.relname, c.oid, coalesce(pg_catalog.pg_table_size(c.oid), 0), " STATE_COLUMNS_SQL(
        "c.oid") ", c.relpersistence = 'u'"
                 "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                 "  LEFT JOIN pg_catalog.pg_depend d ON d.classid = "
                 "'pg_catalog.pg_class'::pg_catalog.regclass"
                 "       AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'"
                 "  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
                 " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('penstock', "
                 "'information_schema')"
                 "   AND n.nspname !~ '^pg_' AND (e.oid IS NULL OR c.oid = ANY (e.extconfig)) AND " IS_MOVED(
                     "c.oid") " ORDER BY 1, 2";

int tables_of_source(Database *source, PGresult **rows, Error *error)
{
    if (database_query(source, rows, error, tables_sql, 0) != 0) {
        return error_context(error, "listing the tables of the source");
    }
    return 0;
}

void tables_arrays(const PGresult *rows, Text arrays[TABLE_ARRAYS])
{
    for (int column = 0; column < TABLE_ARRAYS; column++) {
        arrays[column] = (Text){0};
        for (int i = 0; i < PQntuples(rows); i++) {
            text_array_add(&arrays[column], PQgetvalue(rows, i, column));
        }
        text_array_end(&arrays[column]);
    }
}

void tables_arrays_free(Text arrays[TABLE_ARRAYS])
{
    for (int column = 0; column < TABLE_ARRAYS; column++) {
        text_free(&arrays[column]);
    }
}

int tables_missing(Database *source, Database *target, const char *migration, char **tables, Error *error)
{
    PGresult *rows = NULL;
    Text arrays[TABLE_ARRAYS];
    if (tables_of_source(source, &rows, error) != 0) {
        return -1;
    }
    tables_arrays(rows, arrays);
    PQclear(rows);
    int status = database_value(
        target, tables, error,
        "SELECT string_agg(format('%I.%I', s, t), ', ' ORDER BY s, t) "
        "  FROM unnest($2::text[], $3::text[], $4::oid[], $5::text[]) AS u (s, t, o, c)"
        "   LEFT JOIN penstock.relation r ON r.migration = $1 AND r.schema_name = s AND r.table_name = t"
        "   WHERE r.migration IS NULL OR r.copy_state <> 'copied' OR r.recopy_lsn IS NOT NULL"
        "      OR r.source_oid <> o OR " STATE_CHANGED_COLUMN_SQL("r.source_columns",
                                                                  "c::text[]") " IS NOT NULL",
        5, migration, arrays[0].data, arrays[1].data, arrays[2].data, arrays[4].data);
    tables_arrays_free(arrays);
    return status;
}
