/*
 * Checks of what the copy, the cutover and the way back will need of both servers, and of what works in another way on the
 * target because a server is set up in another way: all of it can be seen before anything is copied.
 */
#include "check.h"
#include "sql.h"

/* How many locks a server has room for; n of them are to be had at once, and a quarter more is left to others. */
#define LOCKS                                                                                                \
    "(SELECT current_setting('max_locks_per_transaction')::int8 * (current_setting('max_connections')::int8" \
    " + current_setting('max_prepared_transactions')::int8) AS room, "                                       \
    "current_setting('max_connections')::int8"                                                               \
    " + current_setting('max_prepared_transactions')::int8 AS sessions) l"

#define LOCK_FINDING(what)                                                                                   \
    "format('%s %s, room for %s locks', n::text, '" what "', room::text),"                                   \
    " format('ALTER SYSTEM SET max_locks_per_transaction = %s', ceil(n * 1.25 / sessions + 1)::text)"

#define SORTED "(SELECT string_agg(w, ' < ' ORDER BY w) FROM unnest(ARRAY[" SORTED_WORDS "]) w)"

/* Who owns the database, and what was granted on it, as one text; the cluster's own role has another name on each server. */
#define DATABASE_RIGHTS                                                                                      \
    "SELECT to_json(format('owner %s, rights %s', CASE WHEN d.datdba = 10 THEN 'of the cluster' ELSE "       \
    "d.datdba::regrole::text END, coalesce((SELECT string_agg(format('%s of %s', a.privilege_type, CASE "    \
    "a.grantee WHEN 0 THEN 'PUBLIC' WHEN 10 THEN 'the cluster''s role' ELSE a.grantee::regrole::text END), " \
    "', ' ORDER BY 1) FROM aclexplode(d.datacl) a WHERE a.grantee <> d.datdba), 'as usual'))) FROM "         \
    "pg_database d WHERE d.datname = current_database()"

static const CheckRow rows[] = {
    {.id = "programs",
     .title = "pg_dump and pg_restore that fit the target",
     .severity = CHECK_PROBLEM,
     .function = probe_programs,
     .needs = NEEDS_TARGET,
     .advice = "Install the client programs of the target's major, or of a newer one, on this machine: "
               "postgresql-client-15 or the like."},
    {.id = "migration-name",
     .title = "The migration's name, after which the slot is called",
     .severity = CHECK_PROBLEM,
     .function = probe_migration_name,
     .advice = "Choose another name: --migration."},
    {.id = "row-security",
     .title = "Tables whose policies hide rows from the role of --source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME
            ", 'row security applies to the role', format('ALTER ROLE %I BYPASSRLS', current_user) "
            "FROM " USER_RELATIONS " WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1",
     .advice = "The copy would be refused rather than leave out rows silently. Give the role BYPASSRLS, or "
               "connect as a superuser."},
    {.id = "source-locks",
     .title = "Room for the locks of pg_dump at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'max_locks_per_transaction', " LOCK_FINDING(
         "tables, each of which pg_dump locks") " FROM (SELECT count(*) AS n FROM " USER_RELATIONS
                                                " WHERE c.relkind IN ('r', 'p', 'S')) t, " LOCKS
                                                " WHERE n * 1.25 > room",
     .advice = "This takes a restart of the source."},
    {.id = "fewer-connections",
     .title = "Connections that the target allows",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = "SELECT to_json(current_setting('max_connections'))",
     .sql = "SELECT 'max_connections', format('%s, %s at the source', current_setting('max_connections'), "
            "$1::json #>> '{}'),"
            " format('ALTER SYSTEM SET max_connections = %s', $1::json #>> '{}')"
            " WHERE current_setting('max_connections')::int8 < ($1::json #>> '{}')::int8",
     .advice = "After the switch, clients may be refused for lack of connections. Raising it takes a restart "
               "of the target."},
    {.id = "sort-order",
     .title = "The order of fifty words on both sides",
     .of_database = true,
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = "SELECT to_json(" SORTED ")",
     .sql =
         "SELECT 'default collation', concat('source ', $1::json #>> '{}', '; target ', s), NULL FROM " SORTED
         " AS q (s) WHERE s <> ($1::json #>> '{}')",
     .advice = "A locale of the same name sorts differently with another libc or ICU: sorted lists change "
               "their order, and ranges of text (partitions, BETWEEN) what is in them. Indexes are rebuilt, "
               "and are correct."},
    {.id = "invalid-indexes",
     .title = "Indexes that are not valid",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME
            ", 'is not moved', format('REINDEX INDEX %I.%I', n.nspname, c.relname) FROM " USER_RELATIONS
            " JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid"
            " WHERE NOT i.indisvalid AND t.relkind <> 'p' ORDER BY 1",
     .advice =
         "They are left over from a CREATE INDEX CONCURRENTLY that failed: drop them, or rebuild them."},
    {.id = "constraints-not-valid",
     .title = "Constraints that are NOT VALID",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT concat(" RELATION_NAME ", ' ', k.conname), 'stays NOT VALID', NULL FROM " USER_RELATIONS
            " JOIN pg_constraint k ON k.conrelid = c.oid WHERE NOT k.convalidated ORDER BY 1",
     .advice = "Rows that break them are moved as they are."},
    {.id = "own-workers",
     .title = "Extensions that act by themselves",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT format('extension %I', extname), NULL, NULL FROM pg_extension WHERE extname IN "
            "('pg_cron', 'pg_partman', 'pglogical', 'pg_timetable', 'pgagent', 'bucardo') ORDER BY 1",
     .advice = "Their jobs would run on both sides: keep them off on the target until the switch, and off at "
               "the source after it. Tables that they make at the source (pg_partman) travel where DDL is "
               "captured; elsewhere, have those of the coming days made before the copy."},
    /* cron.job is copied with its rows: without this its jobs would run on the target at once. */
    {.id = "workers-on-target",
     .title = "Workers of such extensions that are on at the target",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT coalesce(json_agg(extname), '[]') FROM pg_extension",
     .sql =
         "SELECT format('library %s', trim(l.name)), format('it runs what extension %I has from the source', "
         "w.extension), CASE w.extension WHEN 'pg_cron' THEN 'ALTER SYSTEM SET cron.launch_active_jobs = "
         "off; "
         "SELECT pg_reload_conf()' END FROM (VALUES ('pg_cron', 'pg_cron'), ('pg_partman_bgw', "
         "'pg_partman'), "
         "('pglogical', 'pglogical'), ('timescaledb', 'timescaledb')) w (library, extension), "
         "regexp_split_to_table(current_setting('shared_preload_libraries'), ',') l (name) WHERE "
         "trim(trim(l.name), '\"') = w.library AND w.extension IN (SELECT "
         "json_array_elements_text($1::json)) AND "
         "(w.extension <> 'pg_cron' OR lower(coalesce(current_setting('cron.launch_active_jobs', true), "
         "'on')) "
         "NOT IN ('off', 'false', 'no', '0')) ORDER BY 1",
     .advice = "They would write to the target before the switch, beside the stream. Take the library out of "
               "shared_preload_libraries of the target until then, which takes a restart, or switch its jobs "
               "off."},
    {.id = "own-storage",
     .title = "Extensions that keep tables in a way of their own",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT format('extension %I', extname), NULL, NULL FROM pg_extension WHERE extname IN "
            "('timescaledb', 'citus', 'pg_pathman', 'columnar') ORDER BY 1",
     .advice = "The extension makes and fills their tables, which copying what is in the catalogs does not "
               "do: turn them into ordinary or partitioned tables first, or use the extension's own way to "
               "another major."},
    {.id = "database-rights",
     .title = "Owner and rights of the target database that the copy will change",
     .of_database = true,
     .severity = CHECK_NOTE,
     .side = ON_TARGET,
     .gather = DATABASE_RIGHTS,
     .sql = "SELECT format('database %I', current_database()), format('%s; as at the source it will be: %s', "
            "here, there), NULL FROM (SELECT ($1::json #>> '{}') AS there, r #>> '{}' AS here FROM "
            "(" DATABASE_RIGHTS ") q (r)) b WHERE here <> there AND here <> 'owner of the cluster, rights as "
            "usual'",
     .advice = "--no-owner and --no-privileges leave them as they are."},
    {.id = "function-search-path",
     .title = "Functions in indexes, constraints and materialized views that need a search_path",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql =
         "WITH used AS (SELECT DISTINCT d.refobjid AS function, CASE WHEN d.classid = "
         "'pg_constraint'::regclass "
         "THEN (SELECT format('constraint %I', conname) FROM pg_constraint WHERE oid = d.objid) WHEN "
         "d.classid = "
         "'pg_class'::regclass THEN format('index %s', d.objid::regclass) WHEN d.classid = "
         "'pg_rewrite'::regclass THEN (SELECT format('materialized view %s', v.oid::regclass) FROM "
         "pg_rewrite w "
         "JOIN pg_class v ON v.oid = w.ev_class AND v.relkind = 'm' WHERE w.oid = d.objid) ELSE 'a column' "
         "END "
         "AS caller FROM pg_depend d WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384 AND "
         "d.classid IN ('pg_constraint'::regclass, 'pg_class'::regclass, 'pg_rewrite'::regclass, "
         "'pg_attrdef'::regclass)), "
         "names AS (SELECT c.relname::text AS name, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = "
         "c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND " USER_SCHEMA
         " UNION SELECT p.proname, n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
         "WHERE " USER_SCHEMA
         " UNION SELECT t.typname, n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = "
         "t.typnamespace WHERE t.typtype IN ('e', 'd') AND " USER_SCHEMA ") "
         "SELECT p.oid::regprocedure::text, format('called by %s; its body names %s without a schema', "
         "(SELECT "
         "string_agg(u.caller, ', ') FROM (SELECT caller FROM used WHERE function = p.oid ORDER BY 1 LIMIT "
         "3) u), "
         "string_agg(DISTINCT m.name, ', ')), format('ALTER FUNCTION %s SET search_path = %s', "
         "p.oid::regprocedure, string_agg(DISTINCT quote_ident(m.nspname::text), ', ')) FROM pg_proc p JOIN "
         "pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql'), LATERAL (SELECT DISTINCT "
         "names.name, names.nspname FROM regexp_matches(p.prosrc, "
         "'(?<![\\w.\"$])([[:alpha:]_]\\w*)(?![\\w.\"])', 'g') f (word) JOIN names ON names.name = "
         "lower(f.word[1]) WHERE names.name <> p.proname::text) m WHERE p.oid IN (SELECT function FROM used "
         "WHERE "
         "caller IS NOT NULL) AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s ~ '^search_path=') "
         "AND NOT " IN_EXTENSION("pg_proc", "p.oid") " GROUP BY p.oid, p.proname ORDER BY 1",
     .advice = "pg_restore, ANALYZE from 17 on, and whoever has another search_path would not find what they "
               "name: give each function its own search_path, at the source."},
};

const CheckGroup check_both_rows = {"Copy, cutover and way back", rows, sizeof rows / sizeof rows[0]};
