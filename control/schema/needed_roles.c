/*
 * Owners come from pg_shdepend, where the server writes whatever a role has to do with. Of the database itself and of
 * schema public, too, whose owner and grants are restored like those of others.
 */
#include "needed_roles.h"

#include "left_behind.h"
#include "text.h"

/* Roles that the database's objects mention, and that must be on the target; owners of OID 10 are pinned. */
static const char roles_sql[] =
    "SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d"
    "  JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid AND d.refclassid = "
    "'pg_catalog.pg_authid'::pg_catalog.regclass"
    " WHERE d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    "   AND (d.deptype = 'o' AND $1::bool OR d.deptype <> 'o' AND $2::bool)"
    "   AND (d.classid <> 'pg_catalog.pg_class'::pg_catalog.regclass OR " IS_KEPT(
        "d.objid") ")"
                   " UNION SELECT r.rolname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = "
                   "c.relowner"
                   "        WHERE c.oid >= 16384 AND r.oid = 10 AND $1::bool AND " IS_KEPT(
                       "c.oid") " UNION SELECT r.rolname FROM pg_catalog.pg_shdepend d JOIN "
                                "pg_catalog.pg_roles r ON r.oid = d.refobjid"
                                "        JOIN pg_catalog.pg_database b ON b.oid = d.objid AND b.datname = "
                                "pg_catalog.current_database()"
                                "        WHERE d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass"
                                "          AND d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass"
                                "          AND (d.deptype = 'o' AND $1::bool OR d.deptype <> 'o' AND "
                                "$2::bool)"
                                " ORDER BY 1";

static int missing_roles(const SchemaRoad *road, const char *wanted, Text *missing, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(road->target, &rows, error,
                       "SELECT w FROM unnest($1::text[]) w"
                       " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = w)",
                       1, wanted) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        text_printf(missing, "%s%s", i > 0 ? ", " : "", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    return 0;
}

int needed_roles_check(const SchemaRoad *road, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(road->source, &rows, error, roles_sql, 2, road->options.no_owner ? "f" : "t",
                       road->options.no_privileges ? "f" : "t") != 0) {
        return -1;
    }
    Text wanted = {0}, missing = {0};
    for (int i = 0; i < PQntuples(rows); i++) {
        text_array_add(&wanted, PQgetvalue(rows, i, 0));
    }
    text_array_end(&wanted);
    PQclear(rows);
    int status = missing_roles(road, wanted.data, &missing, error);
    if (status == 0 && missing.size > 0) {
        status = error_set(error, ERROR_TARGET,
                           "roles that own or may use objects are missing on the target: %s", missing.data);
        error_hint(error, "penstock roles, or copy --roles, makes them; or use --no-owner and "
                          "--no-privileges");
    }
    text_free(&wanted);
    text_free(&missing);
    return status;
}
