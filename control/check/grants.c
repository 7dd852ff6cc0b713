/*
 * `penstock check --grants`: the statements that give a role of its own what Penstock needs and nothing else, for both sides.
 * The servers write them, from what is in the databases.
 */
#include "grants.h"

#include <stdio.h>

/* $1: the role. Every row is a line. A role with this name is changed, not made. */
static const char source_sql[] =
    "WITH role AS (SELECT quote_ident($1) AS name, EXISTS (SELECT FROM pg_roles WHERE rolname = $1::name) AS "
    "there),"
    " schemas AS (SELECT n.oid, quote_ident(n.nspname::text) AS name FROM pg_namespace n WHERE n.nspname !~ "
    "'^pg_'"
    "               AND n.nspname NOT IN ('information_schema', 'penstock')"
    "               AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relkind IN ('r', "
    "'p', 'S')))"
    " SELECT line FROM ("
    " SELECT 1 AS part, '' AS place, format('-- Source, database %I. As a superuser:', current_database()) "
    "AS line"
    " UNION ALL SELECT 2, '', format('%s ROLE %s LOGIN REPLICATION%s;', CASE WHEN there THEN 'ALTER' ELSE "
    "'CREATE' END, name,"
    "     CASE WHEN EXISTS (SELECT FROM pg_class WHERE relrowsecurity) THEN ' BYPASSRLS' END) FROM role"
    " UNION ALL SELECT 3, '', format('GRANT CONNECT ON DATABASE %I TO %s;', current_database(), name) FROM "
    "role"
    " UNION ALL SELECT 4, s.name, format('GRANT USAGE ON SCHEMA %s TO %s;', s.name, r.name) FROM role r, "
    "schemas s"
    " UNION ALL SELECT 5, s.name, format('GRANT SELECT ON ALL TABLES IN SCHEMA %s TO %s;', s.name, r.name) "
    "FROM role r, schemas s"
    " UNION ALL SELECT 6, s.name, format('GRANT SELECT ON ALL SEQUENCES IN SCHEMA %s TO %s;', s.name, r.name)"
    "   FROM role r, schemas s"
    " UNION ALL SELECT 7, '', format('GRANT pg_monitor TO %s;', name) FROM role"
    " UNION ALL SELECT 7, 'l', format('GRANT SELECT ON pg_catalog.pg_largeobject TO %s;', name) FROM role"
    "  WHERE EXISTS (SELECT FROM pg_largeobject_metadata)"
    " UNION ALL SELECT 8, '', '-- Tables that are made later need the same. Copy and follow work with this "
    "role. The cutover closes the database to'"
    " UNION ALL SELECT 9, '', '-- all but superusers, and takes one as --source.'"
    " UNION ALL SELECT 10, '', format('-- pg_hba.conf: host %I %s ADDRESS scram-sha-256', "
    "current_database(), name) FROM role"
    " ) l ORDER BY part, place";

static const char target_sql[] =
    "WITH role AS (SELECT quote_ident($1) AS name, EXISTS (SELECT FROM pg_roles WHERE rolname = $1::name) AS "
    "there,"
    "              current_setting('server_version_num')::int AS version)"
    " SELECT line FROM ("
    " SELECT 1 AS part, format('-- Target, database %I. As a superuser:', current_database()) AS line"
    " UNION ALL SELECT 2, format('%s ROLE %s LOGIN%s;', CASE WHEN there THEN 'ALTER' ELSE 'CREATE' END, name,"
    "     CASE WHEN version >= 150000 THEN ' CREATEROLE CREATEDB' ELSE ' SUPERUSER' END) FROM role"
    " UNION ALL SELECT 3, '-- Before 15 only superusers may set session_replication_role, under which "
    "foreign keys and triggers rest.'"
    "   FROM role WHERE version < 150000"
    " UNION ALL SELECT 4, format('GRANT SET ON PARAMETER session_replication_role TO %s;', name) FROM role "
    "WHERE version >= 150000"
    " UNION ALL SELECT 5, format('GRANT CONNECT, CREATE ON DATABASE %I TO %s;', current_database(), name) "
    "FROM role"
    "   WHERE version >= 150000"
    " UNION ALL SELECT 6, '-- It has to be a member of each role that owns objects; extensions, languages "
    "and event triggers take a superuser.'"
    "   FROM role WHERE version >= 150000"
    " UNION ALL SELECT 7, format('-- pg_hba.conf: host %I %s ADDRESS scram-sha-256', current_database(), "
    "name) FROM role"
    " ) l ORDER BY part";

static int print_lines(Database *database, const char *sql, const char *role, FILE *out, Error *error)
{
    PGresult *rows = NULL;
    if (database_query(database, &rows, error, sql, 1, role) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        fprintf(out, "%s\n", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    return 0;
}

int grants_print(const Settings *settings, const char *role, FILE *out, Error *error)
{
    Database *source = NULL, *target = NULL;
    int status = database_connect(settings->source, DATABASE_SOURCE, "check", &source, error);
    if (status == 0) {
        status = database_connect(settings->target, DATABASE_TARGET, "check", &target, error);
    }
    if (status == 0) {
        status = print_lines(source, source_sql, role, out, error);
    }
    if (status == 0) {
        fputc('\n', out);
        status = print_lines(target, target_sql, role, out, error);
    }
    database_close(source);
    database_close(target);
    return status;
}
