/*
 * The statements are written by the source, from its catalogs, with the name of the target's database. Grants are written
 * anew as a whole, from aclexplode, whatever the target grants before; all by the owner, since a superuser grants as the owner.
 * Settings that the target does not know any more mean nothing there, and stay behind. The role that made the source's cluster
 * (OID 10) stands for the target's where the target has no role of its name.
 */
#include "rights.h"

#include <stdlib.h>

/*
 * $1: the target's database, $2: what stands for OID 10 there, both quoted; $3: its settings' names; $4: owners are wanted,
 * $5: grants are.
 */
static const char rights_sql[] =
    "WITH p AS (SELECT $1::text AS database, $2::text AS boot),"
    " roles AS (SELECT r.oid, CASE WHEN r.oid = 10 THEN p.boot ELSE quote_ident(r.rolname::text) END AS name "
    "FROM p, pg_roles r"
    "           UNION ALL SELECT 0, 'PUBLIC'),"
    " n AS (SELECT s.oid, s.nspowner, s.nspacl, r.name AS owner FROM pg_namespace s JOIN roles r ON r.oid = "
    "s.nspowner"
    "        WHERE s.nspname = 'public'),"
    " d AS (SELECT b.oid, b.datdba, b.datacl, b.datconnlimit, r.name AS owner FROM pg_database b JOIN roles r"
    "           ON r.oid = b.datdba WHERE b.datname = current_database()),"
    " acl AS (SELECT 'SCHEMA public' AS what, $4::bool AS by_owner, n.owner, coalesce(n.nspacl, "
    "acldefault('n', n.nspowner))"
    "              AS acl FROM n"
    "         UNION ALL SELECT concat('DATABASE ', p.database), $4::bool, d.owner, coalesce(d.datacl, "
    "acldefault('d', d.datdba))"
    "           FROM p, d),"
    " grants AS (SELECT acl.what, string_agg(format('GRANT %s ON %s TO %s%s', g.privilege_type, acl.what, "
    "r.name,"
    "                CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' END), '; ' ORDER BY g.grantee, "
    "g.privilege_type)"
    "                AS statements FROM acl, aclexplode(acl.acl) g JOIN roles r ON r.oid = g.grantee GROUP "
    "BY acl.what)"
    " SELECT 'SCHEMA OWNER', 'public', format('ALTER SCHEMA public OWNER TO %s', n.owner) FROM n WHERE "
    "$4::bool"
    " UNION ALL SELECT 'DATABASE OWNER', p.database, format('ALTER DATABASE %s OWNER TO %s', p.database, "
    "d.owner) FROM p, d"
    "  WHERE $4::bool"
    " UNION ALL SELECT 'ACL', acl.what, format('REVOKE ALL ON %s FROM PUBLIC; %s%s', acl.what, CASE WHEN "
    "acl.by_owner THEN"
    "     format('REVOKE ALL ON %s FROM %s; ', acl.what, acl.owner) END, g.statements)"
    "   FROM acl LEFT JOIN grants g ON g.what = acl.what WHERE $5::bool"
    /* The source has no schema public: nobody may use the target's. */
    " UNION ALL SELECT 'ACL', 'SCHEMA public', 'DO $do$ BEGIN IF pg_catalog.to_regnamespace(''public'') IS "
    "NOT NULL THEN"
    "     REVOKE ALL ON SCHEMA public FROM PUBLIC; END IF; END $do$' WHERE $5::bool AND NOT EXISTS (SELECT "
    "FROM n)"
    " UNION ALL SELECT 'COMMENT', 'SCHEMA public', format('COMMENT ON SCHEMA public IS %L', "
    "obj_description(n.oid,"
    "     'pg_namespace')) FROM n"
    " UNION ALL SELECT 'DATABASE LIMIT', p.database, format('ALTER DATABASE %s CONNECTION LIMIT %s', "
    "p.database,"
    "     d.datconnlimit::text) FROM p, d"
    " UNION ALL SELECT 'COMMENT', concat('DATABASE ', p.database), format('COMMENT ON DATABASE %s IS %L', "
    "p.database,"
    "     shobj_description(d.oid, 'pg_database')) FROM p, d"
    " UNION ALL SELECT 'DATABASE SETTING', concat(r.name, CASE WHEN r.oid IS NOT NULL THEN ' ' END, c.name),"
    "     format('ALTER %s SET %s TO %s', CASE WHEN r.oid IS NULL THEN concat('DATABASE ', p.database)"
    "         ELSE format('ROLE %s IN DATABASE %s', r.name, p.database) END, c.name,"
    /* Lists of names are stored as they are written, quotes included (GUC_LIST_QUOTE). */
    "       CASE WHEN c.name = ANY (ARRAY['search_path', 'temp_tablespaces', 'local_preload_libraries',"
    "           'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories'])"
    "         THEN CASE WHEN c.value IN ('', '\"\"') THEN '''''' ELSE c.value END ELSE "
    "quote_literal(c.value) END)"
    "   FROM p, d JOIN pg_db_role_setting s ON s.setdatabase = d.oid LEFT JOIN roles r ON r.oid = s.setrole "
    "AND r.oid <> 0,"
    "        unnest(s.setconfig) AS u (setting),"
    "        LATERAL (SELECT split_part(u.setting, '=', 1), substr(u.setting, strpos(u.setting, '=') + 1)) "
    "AS c (name, value)"
    /* An empty list of libraries cannot be written: SET with '' makes it a library without a name, and nobody gets in. */
    "  WHERE (strpos(c.name, '.') > 0 OR c.name = ANY ($3::text[]))"
    "    AND (c.value NOT IN ('', '\"\"') OR c.name NOT IN ('local_preload_libraries', "
    "'session_preload_libraries'))";

/*
 * The database's name on the target, the role that stands for OID 10, the settings that the server knows, whether we are
 * superuser, and what keeps us from shutting ourselves out.
 */
static const char target_sql[] =
    "SELECT quote_ident(current_database()::text), quote_ident(coalesce((SELECT rolname FROM pg_roles WHERE "
    "rolname = $1::name),"
    "         (SELECT rolname FROM pg_roles WHERE oid = 10))::text), ARRAY(SELECT name FROM pg_settings),"
    "       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
    "       'ACL', format('DATABASE %I (our own)', current_database()),"
    "       format('GRANT CONNECT, CREATE ON DATABASE %I TO %I', current_database(), current_user)";

static void add_row(SchemaScript *pre, const PGresult *rows, int row, int column)
{
    const SchemaObject object = {.kind = PQgetvalue(rows, row, column),
                                 .schema = "-",
                                 .name = PQgetvalue(rows, row, column + 1),
                                 .sql = PQgetvalue(rows, row, column + 2)};
    script_add(pre, &object);
}

int rights_add(const SchemaRoad *road, SchemaScript *pre, Error *error)
{
    char *boot = NULL;
    PGresult *target = NULL, *rows = NULL;
    int status =
        database_value(road->source, &boot, error,
                       "SELECT rolname FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) 10", 0);
    if (status == 0) {
        status = database_query(road->target, &target, error, target_sql, 1, boot);
    }
    free(boot);
    if (status != 0) {
        return -1;
    }
    script_keep(pre, target);
    /* Before the database changes hands: whoever is no superuser owns it now, or has a right that is taken away next. */
    if (PQgetvalue(target, 0, 3)[0] != 't' && !road->options.no_privileges) {
        add_row(pre, target, 0, 4);
    }
    if (database_query(road->source, &rows, error, rights_sql, 5, PQgetvalue(target, 0, 0),
                       PQgetvalue(target, 0, 1), PQgetvalue(target, 0, 2), road->options.no_owner ? "f" : "t",
                       road->options.no_privileges ? "f" : "t") != 0) {
        return error_context(error, "reading who may do what with the database and schema public");
    }
    script_keep(pre, rows);
    for (int i = 0; i < PQntuples(rows); i++) {
        add_row(pre, rows, i, 0);
    }
    return 0;
}
