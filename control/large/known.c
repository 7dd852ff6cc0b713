/*
 * Two columns of penstock.migration.
 */
#include "large.h"

#include <stdio.h>

int large_load(Database *target, const char *migration, LargeKnown *out, Error *error)
{
    PGresult *row = NULL;
    *out = (LargeKnown){0};
    if (database_query(
            target, &row, error,
            "SELECT coalesce(large_source::text, ''), coalesce(large_target::text, ''), owners, grants"
            "  FROM penstock.migration WHERE name = $1",
            1, migration) != 0) {
        return error_context(error, "reading how far large objects are");
    }
    if (PQntuples(row) == 1) {
        snprintf(out->source, sizeof out->source, "%s", PQgetvalue(row, 0, 0));
        snprintf(out->target, sizeof out->target, "%s", PQgetvalue(row, 0, 1));
        out->known = out->source[0] != '\0';
        out->owners = PQgetvalue(row, 0, 2)[0] == 't';
        out->grants = PQgetvalue(row, 0, 3)[0] == 't';
    }
    PQclear(row);
    return 0;
}

int large_save(Database *target, const char *migration, const char *source, const char *target_since,
               Error *error)
{
    return database_execute(target, error,
                            "UPDATE penstock.migration SET large_source = coalesce($2::int8, large_source),"
                            "       large_target = coalesce($3::int8, large_target) WHERE name = $1",
                            3, migration, source, target_since) == 0
               ? 0
               : error_context(error, "writing down how far large objects are");
}
