/*
 * Checks of the two roles that Penstock connects as, and of the roles that own or may use what is moved.
 */
#include "check.h"
#include "sql.h"

/* What a role may do beyond its grants, and whose member it is; r is pg_roles. */
#define ATTRIBUTES                                                                                           \
    "coalesce(nullif(concat_ws(', ', CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcanlogin "    \
    "THEN 'LOGIN' END, "                                                                                     \
    "CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, "         \
    "CASE WHEN r.rolreplication THEN 'REPLICATION' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END, "     \
    "CASE WHEN NOT r.rolinherit THEN 'NOINHERIT' END, CASE WHEN r.rolconnlimit >= 0 THEN "                   \
    "concat('CONNECTION LIMIT ', r.rolconnlimit::text) END, (SELECT concat('member of ', "                   \
    "string_agg(g.rolname::text, ', ' "                                                                      \
    "ORDER BY g.rolname::text COLLATE \"C\")) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid "   \
    "WHERE m.member = r.oid "                                                                                \
    "HAVING count(*) > 0)), ''), 'nothing')"

static const CheckRow rows[] = {
    {.id = "source-replication",
     .title = "Right to replicate, at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT format('role %I', rolname), 'it is neither superuser nor REPLICATION', "
            "format('ALTER ROLE %I REPLICATION', rolname) "
            "FROM pg_roles WHERE rolname = current_user AND NOT rolsuper AND NOT rolreplication",
     .advice = "Give it the attribute, as a superuser of the source."},
    {.id = "source-select",
     .title = "Right to read every table at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql =
         "SELECT format('schema %I', nspname), concat(CASE WHEN NOT usage THEN 'no USAGE; ' END, format('no "
         "SELECT on %s of its tables and sequences, such as %I', count(*)::text, min(relname::text))), "
         "concat(CASE WHEN NOT usage THEN format('GRANT USAGE ON SCHEMA %I TO %I; ', nspname, current_user) "
         "END, CASE WHEN bool_or(relkind <> 'S') THEN format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO %I; "
         "', "
         "nspname, current_user) END, CASE WHEN bool_or(relkind = 'S') THEN format('GRANT SELECT ON ALL "
         "SEQUENCES IN SCHEMA %I TO %I;', nspname, current_user) END) FROM (SELECT n.nspname, c.relname, "
         "c.relkind, has_schema_privilege(n.oid, 'USAGE') AS usage FROM " USER_RELATIONS
         " WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't' AND NOT "
         "(has_schema_privilege(n.oid, "
         "'USAGE') AND has_table_privilege(c.oid, 'SELECT'))) t GROUP BY nspname, usage ORDER BY nspname",
     .advice = "Grant it, or connect as a superuser. Tables that are made later need the same."},
    {.id = "target-create",
     .title = "Right to create schemas on the target",
     .of_database = true,
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .sql =
         "SELECT format('database %I', current_database()), format('no CREATE for role %I', current_user), "
         "format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user) "
         "WHERE NOT has_database_privilege(current_database(), 'CREATE')",
     .advice = "Grant it, or connect as the owner of the database."},
    {.id = "target-session-replication-role",
     .title = "Right to set session_replication_role on the target",
     .severity = CHECK_PROBLEM,
     .function = probe_session_role,
     .needs = NEEDS_TARGET,
     .advice = "Foreign keys and triggers must rest while changes are applied; that takes a superuser, or a "
               "GRANT SET "
               "ON PARAMETER on 15 and newer."},
    {.id = "target-superuser",
     .title = "Right to give objects to any owner on the target",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .sql = "SELECT format('role %I', rolname), 'it is not a superuser', NULL "
            "FROM pg_roles WHERE rolname = current_user AND NOT rolsuper",
     .advice = "It has to be a member of every role that owns something, and some objects (languages, casts, "
               "event triggers) cannot be restored."},
    {.id = "target-createdb",
     .title = "Right to make a database on the target, in which the schema is tried",
     .severity = CHECK_WARNING,
     .function = probe_trial_right,
     .needs = NEEDS_TARGET,
     .advice = "Give it the attribute for as long as the checks take, as a superuser of the target; or say "
               "--no-trial."},
    {.id = "roles",
     .title = "Owners and grantees of the source that the target lacks",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather =
         "SELECT coalesce(json_object_agg(rolname, concat_ws(' ', CASE WHEN rolsuper THEN 'SUPERUSER' END, "
         "CASE WHEN rolcanlogin THEN 'LOGIN' END)), '{}') FROM pg_roles r "
         "WHERE oid IN (SELECT refobjid FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass "
         "AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())) "
         "OR oid = 10 AND EXISTS (SELECT FROM pg_class WHERE relowner = 10 AND oid >= 16384)",
     .sql =
         "SELECT format('role %I', r.key), CASE WHEN r.value ~ 'LOGIN' THEN 'it logs in; penstock roles "
         "brings "
         "its password, too' END, rtrim(format('CREATE ROLE %I %s', r.key, r.value)) FROM "
         "json_each_text($1::json) r WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.key) ORDER BY "
         "r.key",
     .advice =
         "penstock roles, or copy --roles, makes those that are missing, with their rights and passwords."},
    {.id = "role-attributes",
     .title = "Roles that are on both sides and differ",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     /* Those that we connect as have what they need on each side (check --grants), and are nobody's of the applications. */
     .gather =
         "SELECT coalesce(json_object_agg(r.rolname, " ATTRIBUTES
         "), '{}') FROM pg_roles r WHERE r.oid <> 10 AND r.rolname !~ '^pg_' AND r.rolname <> current_user",
     .sql = "SELECT format('role %I', name), format('%s at the source; %s on the target', there, here), NULL "
            "FROM ("
            "SELECT r.rolname AS name, $1::json ->> r.rolname::text AS there, " ATTRIBUTES
            " AS here FROM pg_roles r WHERE r.rolname <> current_user) q "
            "WHERE there <> here ORDER BY name",
     .advice = "An existing role is never changed: make sure that it may do on the target what it has to."},
    {.id = "md5-passwords",
     .title = "Roles with md5 passwords at the source",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT format('role %I', rolname), 'md5 password', NULL FROM pg_authid "
            "WHERE rolcanlogin AND rolpassword LIKE 'md5%' ORDER BY rolname",
     .advice =
         "They keep working only if pg_hba.conf of the target says md5; scram-sha-256 there refuses them."},
};

const CheckGroup check_role_rows = {"Roles", rows, sizeof rows / sizeof rows[0]};
