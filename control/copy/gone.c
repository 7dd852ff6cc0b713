/*
 * A name says nothing: the table may have been made anew at the source, under the name that it had. So the source is asked by OID.
 */
#include "gone.h"

#include <stdlib.h>

static const char without_place_sql[] =
    "SELECT pg_catalog.array_agg(r.source_oid) FROM penstock.relation r"
    " WHERE r.migration = $1 AND r.copy_state <> 'copied' AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c"
    "   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE n.nspname = r.schema_name AND c.relname = r.table_name)";

static const char gone_sql[] = "SELECT pg_catalog.array_agg(o) FROM unnest($1::oid[]) AS o"
                               " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = o)";

static const char forget_sql[] =
    "WITH gone AS (DELETE FROM penstock.relation WHERE migration = $1 AND source_oid = ANY ($2::oid[])"
    "      AND copy_state <> 'copied' RETURNING source_oid, schema_name, table_name),"
    " objects AS (UPDATE penstock.schema_object o SET state = 'left out', words = 'dropped at the source "
    "meanwhile'"
    "      WHERE o.migration = $1 AND o.section = 'post-data' AND o.state IN ('waiting', 'refused')"
    "        AND o.table_oids && (SELECT array_agg(source_oid) FROM gone))"
    " SELECT string_agg(format('%I.%I', schema_name, table_name), ', ' ORDER BY schema_name, table_name) "
    "FROM gone";

int gone_forget(Copy *copy, Error *error)
{
    char *suspects = NULL, *gone = NULL, *names = NULL;
    int status =
        database_value(copy->target, &suspects, error, without_place_sql, 1, copy->settings->migration);
    if (status == 0 && suspects != NULL) {
        status = database_value(copy->source, &gone, error, gone_sql, 1, suspects);
    }
    if (status == 0 && gone != NULL) {
        status = database_value(copy->target, &names, error, forget_sql, 2, copy->settings->migration, gone);
    }
    if (names != NULL) {
        progress_warn(copy->progress, "gone from both sides, and no part of the migration any more: %.600s",
                      names);
    }
    free(suspects);
    free(gone);
    free(names);
    return status == 0 ? 0 : error_context(error, "looking for tables that are gone");
}
