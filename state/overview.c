/*
 * Each document is made by the server, in one statement; the long one is the text of overview.sql, compiled in.
 */
#include "overview.h"

#include <stdio.h>

extern const char state_overview_sql[];

/*
 * A table that has not been counted for two of the applier's rounds has no changes now, and none has any while the applier does
 * not stream.
 */
#define TABLE_ROWS                                                                                           \
    "SELECT r.*, a.counted_at, coalesce(a.rows, 0) AS rows_applied, s.rows_per_second, "                     \
    "CASE WHEN lane_class IS NULL THEN NULL WHEN m.lanes = 1 THEN '0' WHEN lane_class = 'spread' THEN "      \
    "'all' "                                                                                                 \
    "ELSE a.lane::text END AS lane, "                                                                        \
    "CASE WHEN lane_class IS NULL THEN NULL WHEN m.lanes = 1 THEN 'the migration has one lane' "             \
    "WHEN lane_class = 'spread' THEN 'its key is all that is unique in it' ELSE lane_reason END AS why "     \
    "FROM penstock.relation r JOIN penstock.migration m ON m.name = r.migration "                            \
    "LEFT JOIN penstock.applied a ON a.relation = r.id "                                                     \
    "LEFT JOIN penstock.applier p ON p.migration = r.migration AND p.state = 'streaming', "                  \
    "LATERAL (SELECT CASE WHEN p.pid IS NOT NULL AND a.counted_at > now() - interval '11 s' THEN "           \
    "a.rows_per_second ELSE 0 END) AS s (rows_per_second) "                                                  \
    "WHERE r.migration = $1 "

#define TABLE_JSON                                                                                           \
    "coalesce(json_agg(json_build_object('table', format('%I.%I', schema_name, table_name), "                \
    "'state', copy_state, 'bytes', source_bytes, 'copied_rows', copied_rows, 'copied_bytes', copied_bytes, " \
    "'seconds', round(extract(epoch FROM copied_at - started_at)::numeric, 3), 'copy_lsn', copy_lsn, "       \
    "'recopy_reason', recopy_reason, 'lane_class', lane_class, 'lane', lane, 'why', why, "                   \
    "'match_class', match_class, 'rows_applied', rows_applied, "                                             \
    "'rows_per_second', round(rows_per_second::numeric, 1), 'counted_at', counted_at)), '[]')"

/* What needs someone first, then the busiest, then the largest. */
#define TABLE_ORDER                                                                                          \
    "r.recopy_lsn IS NULL, r.copy_state <> 'copying', s.rows_per_second DESC, a.rows DESC NULLS LAST, "      \
    "r.source_bytes DESC, r.schema_name, r.table_name"

static const char tables_sql[] =
    "SELECT " TABLE_JSON "::text FROM (" TABLE_ROWS "ORDER BY " TABLE_ORDER " LIMIT $2::int8) t";

/* $2: part of a name, $3: the column to sort by, $4 offset, $5 limit. */
static const char page_sql[] =
    "SELECT json_build_object('count', (SELECT count(*) FROM penstock.relation r WHERE r.migration = $1 AND "
    "strpos(lower(concat(schema_name, '.', table_name)), lower($2)) > 0), 'tables', " TABLE_JSON
    ")::text FROM (" TABLE_ROWS
    "AND strpos(lower(concat(schema_name, '.', table_name)), lower($2)) > 0 ORDER BY "
    "CASE WHEN $3 = 'name' THEN concat(schema_name, '.', table_name) END, "
    "CASE $3 WHEN 'bytes' THEN source_bytes WHEN 'rows' THEN coalesce(a.rows, 0) WHEN 'copied_rows' THEN "
    "coalesce(copied_rows, -1) END DESC, " TABLE_ORDER " OFFSET $4::int8 LIMIT $5::int8) t";

static const char journal_sql[] = "SELECT coalesce(json_agg(j ORDER BY j.id), '[]')::text FROM (SELECT id, "
                                  "at, operation, step, event, detail FROM "
                                  "penstock.journal WHERE migration = $1 ORDER BY id DESC LIMIT 5000) j";

int state_overview(Database *target, const char *name, char **json, Error *error)
{
    if (database_value(target, json, error, state_overview_sql, 1, name) != 0) {
        return error_context(error, "reading the state of migration \"%s\"", name);
    }
    return 0;
}

int state_tables(Database *target, const char *name, int limit, char **json, Error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%d", limit);
    if (database_value(target, json, error, tables_sql, 2, name, limit > 0 ? text : NULL) != 0) {
        return error_context(error, "reading the tables of migration \"%s\"", name);
    }
    return 0;
}

int state_tables_page(Database *target, const char *name, const char *search, const char *sort, int offset,
                      int limit, char **json, Error *error)
{
    char from[16], most[16];
    snprintf(from, sizeof from, "%d", offset);
    snprintf(most, sizeof most, "%d", limit);
    if (database_value(target, json, error, page_sql, 5, name, search, sort, from, most) != 0) {
        return error_context(error, "reading the tables of migration \"%s\"", name);
    }
    return 0;
}

int state_journal_list(Database *target, const char *name, char **json, Error *error)
{
    if (database_value(target, json, error, journal_sql, 1, name) != 0) {
        return error_context(error, "reading the journal of migration \"%s\"", name);
    }
    return 0;
}
