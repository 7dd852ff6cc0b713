/*
 * age() of a row's xmin is taken from a point that stays for the transaction, as that of since: so both are compared in one
 * statement.
 */
#include "parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

int large_now(Database *database, char out[24], Error *error)
{
    char *now = NULL;
    if (database_value(database, &now, error,
                       "SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot())", 0) != 0) {
        return -1;
    }
    snprintf(out, 24, "%s", now != NULL ? now : "");
    free(now);
    return 0;
}

int large_any(Database *database, bool *any, Error *error)
{
    return database_found(database, any, error, "SELECT 1 FROM pg_catalog.pg_largeobject_metadata LIMIT 1",
                          0);
}

int large_none(Database *from, Database *to, bool *none, Error *error)
{
    bool here = true, there = true;
    if (large_any(from, &here, error) != 0 || large_any(to, &there, error) != 0) {
        return error_context(error, "looking for large objects");
    }
    *none = !here && !there;
    return 0;
}

int large_look(Database *from, const char *since, LargeLook *out, Error *error)
{
    PGresult *row = NULL;
    int64_t began = clock_ms();
    if (database_query(
            from, &row, error,
            "WITH pages AS (SELECT loid, sum(octet_length(data)) AS bytes FROM pg_largeobject WHERE " CHANGED(
                "$1") " GROUP BY 1)"
                      " SELECT (SELECT count(*) FROM pg_largeobject_metadata),"
                      "   (SELECT count(*) FROM (SELECT loid FROM pages UNION SELECT oid FROM "
                      "pg_largeobject_metadata WHERE " CHANGED("$1") ") c),"
                                                                     "   (SELECT coalesce(sum(bytes), "
                                                                     "0) FROM pages)",
            1, since != NULL && *since != '\0' ? since : NULL) != 0) {
        return error_context(error, "looking for large objects that have changed");
    }
    *out = (LargeLook){.objects = strtoll(PQgetvalue(row, 0, 0), NULL, 10),
                       .changed = strtoll(PQgetvalue(row, 0, 1), NULL, 10),
                       .bytes = strtoll(PQgetvalue(row, 0, 2), NULL, 10),
                       .seconds = (double)(clock_ms() - began) / 1000.0};
    PQclear(row);
    return 0;
}

int large_changed(Database *from, const char *since, const char *oids, PGresult **out, Error *error)
{
    return database_query(from, out, error,
                          "SELECT loid::int8 FROM pg_largeobject WHERE loid = ANY ($2::oid[]) AND " CHANGED(
                              "$1") " UNION SELECT oid::int8 FROM pg_largeobject_metadata"
                                    " WHERE oid = ANY ($2::oid[]) AND " CHANGED("$1") " ORDER BY 1",
                          2, since, oids) == 0
               ? 0
               : error_context(error, "looking for large objects that have changed");
}

int large_comments_changed(Database *from, const char *since, const char *oids, PGresult **out, Error *error)
{
    return database_query(
               from, out, error,
               "SELECT objoid::int8 FROM pg_description WHERE classoid = 'pg_largeobject'::regclass"
               " AND objoid = ANY ($2::oid[]) AND " CHANGED("$1") " ORDER BY 1",
               2, since, oids) == 0
               ? 0
               : error_context(error, "looking for comments of large objects that have changed");
}
