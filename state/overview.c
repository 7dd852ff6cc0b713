/*
 * Each document is made by the server, in one statement; the long one is the text of overview.sql, compiled in.
 */
#include "overview.h"

extern const char state_overview_sql[];

static const char tables_sql[] =
    "SELECT coalesce(json_agg(json_build_object('table', format('%I.%I', schema_name, table_name), "
    "'state', copy_state, 'bytes', source_bytes, 'copied_rows', copied_rows, 'copied_bytes', copied_bytes, "
    "'seconds', round(extract(epoch FROM copied_at - started_at)::numeric, 3), 'copy_lsn', copy_lsn, "
    "'recopy_reason', recopy_reason, "
    "'lane_class', lane_class, 'lane_reason', lane_reason, 'match_class', match_class) "
    "ORDER BY schema_name, table_name), '[]')::text FROM penstock.relation WHERE migration = $1";

int state_overview(Database *target, const char *name, char **json, Error *error)
{
    if (database_value(target, json, error, state_overview_sql, 1, name) != 0) {
        return error_context(error, "reading the state of migration \"%s\"", name);
    }
    return 0;
}

int state_tables(Database *target, const char *name, char **json, Error *error)
{
    if (database_value(target, json, error, tables_sql, 1, name) != 0) {
        return error_context(error, "reading the tables of migration \"%s\"", name);
    }
    return 0;
}
