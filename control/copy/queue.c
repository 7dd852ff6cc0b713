#include "queue.h"

#include "definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table of that name that is not the one that was listed, or has a column that is not, has to be copied again. */
#define ANOTHER                                                                                              \
    "(relation.source_oid <> excluded.source_oid OR " STATE_CHANGED_COLUMN_SQL(                              \
        "relation.source_columns", "excluded.source_columns") " IS NOT NULL)"

#define HAS_PLACE                                                                                            \
    "EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"     \
    " WHERE n.nspname = s::name AND c.relname = t::name)"

int queue_without_place(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
                        char **tables, Error *error)
{
    return database_value(target, tables, error,
                          "SELECT string_agg(format('%I.%I', s, t), ', ' ORDER BY s, t)"
                          "  FROM unnest($2::text[], $3::text[]) AS u (s, t)"
                          " WHERE NOT " HAS_PLACE
                          "   AND NOT EXISTS (SELECT FROM penstock.relation r WHERE r.migration = $1"
                          "       AND r.schema_name = s AND r.table_name = t)",
                          3, migration, arrays[0], arrays[1]);
}

int queue_fill(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
               bool only_with_place, Error *error)
{
    return database_execute(
        target, error,
        "INSERT INTO penstock.relation (migration, schema_name, table_name, source_oid, source_bytes, "
        "source_columns)"
        " SELECT $1, s, t, o, b, c::text[] FROM unnest($2::text[], $3::text[], $4::oid[], $5::int8[], "
        "$6::text[])"
        "                            AS u (s, t, o, b, c)"
        "  WHERE NOT $7::bool OR " HAS_PLACE
        " ON CONFLICT (migration, schema_name, table_name) DO UPDATE SET copy_state = 'pending',"
        "    source_oid = excluded.source_oid, source_columns = excluded.source_columns,"
        "    recopy_lsn = coalesce(relation.recopy_lsn, relation.copy_lsn), recopy_reason ="
        "      CASE WHEN relation.recopy_lsn IS NULL AND relation.copy_lsn IS NOT NULL THEN"
        "        'at the source it is another one, or has another column, than was copied'"
        "      ELSE relation.recopy_reason END,"
        "    copy_lsn = NULL, snapshot = NULL, part_column = NULL"
        "    WHERE relation.copy_state = 'copied' AND (relation.recopy_lsn IS NOT NULL OR " ANOTHER ")"
        "       OR relation.copy_state <> 'copied' AND " ANOTHER,
        7, migration, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], only_with_place ? "t" : "f");
}

int queue_leave_dropped(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
                        Error *error)
{
    return database_execute(
        target, error,
        "UPDATE penstock.relation SET copy_state = 'copied'"
        " WHERE migration = $1 AND copy_state <> 'copied' AND recopy_lsn IS NOT NULL"
        "   AND (schema_name, table_name) IN (SELECT schema_name, table_name"
        "    FROM penstock.relation WHERE migration = $1 AND copy_state <> 'copied'"
        "     AND recopy_lsn IS NOT NULL EXCEPT SELECT * FROM unnest($2::text[], $3::text[]))",
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

int queue_analyze(Database *target, const char *migration, PGresult **out, Error *error)
{
    return database_query(
        target, out, error,
        "SELECT format('%I.%I', schema_name, table_name), source_bytes FROM penstock.relation"
        " WHERE migration = $1 AND copy_state <> 'copied' ORDER BY 2 DESC",
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
