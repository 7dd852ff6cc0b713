/*
 * The source writes the statements. Passwords are its verifiers, which a server takes as they are (CREATE ROLE … PASSWORD
 * recognizes md5 and SCRAM-SHA-256); the target is asked not to log them where the role may do so.
 *
 * A membership is made when the member is one of the roles that were made: it is part of what that role is. One of a role that
 * was there before would change what that one may do.
 */
#include "roles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

/* Rows: name, statements. $1: names that the target has; $2: with passwords. %s: the catalog that has them, and the column. */
static const char roles_sql[] =
    "SELECT r.rolname, concat("
    "   format('CREATE ROLE %%I WITH %%s %%s %%s %%s %%s %%s %%s CONNECTION LIMIT %%s', r.rolname,"
    "     CASE WHEN r.rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END, CASE WHEN r.rolinherit THEN "
    "'INHERIT' ELSE 'NOINHERIT' END,"
    "     CASE WHEN r.rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,"
    "     CASE WHEN r.rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END, CASE WHEN r.rolcanlogin THEN "
    "'LOGIN' ELSE 'NOLOGIN' END,"
    "     CASE WHEN r.rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,"
    "     CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END, r.rolconnlimit::text),"
    "   CASE WHEN $2::boolean AND %s IS NOT NULL THEN format(' PASSWORD %%L', %s) END,"
    "   CASE WHEN r.rolvaliduntil IS NOT NULL THEN format(' VALID UNTIL %%L', r.rolvaliduntil::text) END, '; "
    "',"
    "   (SELECT string_agg(format('ALTER ROLE %%I SET %%s TO %%s; ', r.rolname, c.name,"
    "       CASE WHEN c.name IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', "
    "'session_preload_libraries')"
    "         THEN CASE WHEN c.value IN ('', '\"\"') THEN '''''' ELSE c.value END ELSE "
    "quote_literal(c.value) END), '')"
    "      FROM pg_db_role_setting s, unnest(s.setconfig) AS u (setting),"
    "           LATERAL (SELECT split_part(u.setting, '=', 1), substr(u.setting, strpos(u.setting, '=') + "
    "1)) AS c (name, value)"
    "     WHERE s.setrole = r.oid AND s.setdatabase = 0 AND (c.value NOT IN ('', '\"\"') OR c.name IN "
    "('search_path', 'temp_tablespaces'))"
    "       AND (strpos(c.name, '.') > 0 OR c.name = ANY ($3::text[]))),"
    "   (SELECT format('COMMENT ON ROLE %%I IS %%L; ', r.rolname, d.description) FROM pg_shdescription d"
    "     WHERE d.objoid = r.oid AND d.classoid = 'pg_authid'::regclass))"
    "  FROM %s r WHERE r.oid <> 10 AND r.rolname !~ '^pg_' AND r.rolname <> ALL ($1::name[]) ORDER BY "
    "r.rolname";

/* $1: names that the target had before. Roles that the target has anyway (pg_…, and the one that made the cluster) by name. */
static const char members_sql[] =
    "SELECT m.rolname, format('GRANT %I TO %I%s', g.rolname, m.rolname, CASE WHEN a.admin_option THEN ' WITH "
    "ADMIN OPTION' END)"
    "  FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member"
    " WHERE m.oid <> 10 AND m.rolname !~ '^pg_' AND m.rolname <> ALL ($1::name[]) ORDER BY 1, 2";

/* Whether the verifiers may be read. */
static int may_read_passwords(Database *source, bool *may, Error *error)
{
    return database_found(source, may, error, "SELECT 1 WHERE has_table_privilege('pg_authid', 'SELECT')", 0);
}

static void run(Database *target, const RolesRequest *request, const char *role, const char *statements,
                RolesResult *result, bool counts)
{
    Error error = {0};
    bool made = database_execute(target, &error, statements, 0) == 0;
    result->made += made && counts;
    result->refused += !made;
    if (counts || !made) {
        request->told(request->context, role, made ? NULL : error.message);
    }
}

/* Runs the statements of each row. Ends early, with an error, only when the connection is gone. */
static int run_rows(Database *target, const RolesRequest *request, const PGresult *rows, RolesResult *result,
                    bool counts, Error *error)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        run(target, request, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), result, counts);
        if (PQstatus(database_connection(target)) != CONNECTION_OK) {
            return error_set(error, ERROR_CONNECTION,
                             "the connection to the target was lost while roles were made");
        }
    }
    return 0;
}

/* Statements with verifiers do not go into the target's log, where its role may decide that. */
static void keep_out_of_the_log(Database *target)
{
    Error ignored = {0};
    if (database_execute(target, &ignored,
                         "SET log_statement = none; SET log_min_duration_statement = -1; SET "
                         "log_min_error_statement = panic",
                         0) != 0) {
        /* Not a superuser: the server logs what it logs. */
        return;
    }
}

static int query_roles(Database *source, const char *const known[2], bool passwords, PGresult **out,
                       Error *error)
{
    Text sql = {0};
    const char *column = passwords ? "r.rolpassword" : "NULL::text";
    text_printf(&sql, roles_sql, column, column, passwords ? "pg_authid" : "pg_roles");
    int status = database_query(source, out, error, sql.data, 3, known[0], passwords ? "t" : "f", known[1]);
    text_free(&sql);
    return status;
}

int roles_make(Database *source, Database *target, const RolesRequest *request, RolesResult *out,
               Error *error)
{
    PGresult *known = NULL, *roles = NULL, *members = NULL;
    bool may = false;
    *out = (RolesResult){0};
    int status = may_read_passwords(source, &may, error);
    out->without_passwords = request->no_passwords || !may;
    if (status == 0) {
        status = database_query(
            target, &known, error,
            "SELECT ARRAY(SELECT rolname FROM pg_roles), ARRAY(SELECT name FROM pg_settings)", 0);
    }
    if (status == 0) {
        const char *const names[2] = {PQgetvalue(known, 0, 0), PQgetvalue(known, 0, 1)};
        status = query_roles(source, names, !out->without_passwords, &roles, error);
    }
    if (status == 0) {
        status = database_query(source, &members, error, members_sql, 1, PQgetvalue(known, 0, 0));
    }
    if (status == 0) {
        keep_out_of_the_log(target);
        status = run_rows(target, request, roles, out, true, error);
    }
    if (status == 0) {
        status = run_rows(target, request, members, out, false, error);
    }
    PQclear(known);
    PQclear(roles);
    PQclear(members);
    return status == 0 ? 0 : error_context(error, "bringing roles over");
}
