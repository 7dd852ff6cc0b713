/*
 * Checks of what the copy, the cutover and the way back will need of both servers, and of what works in another way on the
 * target because a server is set up in another way: all of it can be seen before anything is copied.
 */
#include "check.h"
#include "noticed.h"
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

/* Words that collations sort in different ways, and that every encoding has. */
#define SORTED                                                                                               \
    "(SELECT string_agg(w, ' < ' ORDER BY w) FROM unnest(ARRAY['a', 'A', 'b', 'B', 'ab', 'a b', 'a-b', "     \
    "'a_b', 'aB', 'Ab', 'AB',"                                                                               \
    " 'a.b', 'a,b', 'a1', 'a10', 'a2', '1a', '10', '2', '-1', '+1', '_a', '@a', '#a', '(a)', 'a''b', "       \
    "'a\"b', 'a/b', 'a\\b', 'a:b',"                                                                          \
    " 'a;b', 'co-op', 'coop', 'co op', 'CO-OP', 'resume', 'Resume', 'zz', 'Z', 'z', '~', '|', 'a~', 'a|', "  \
    "'$1', '%', '&', '*', '=',"                                                                              \
    " '<', '>']) w)"

static const CheckRow rows[] = {
    {.id = "programs",
     .title = "pg_dump and pg_restore that fit the target",
     .severity = CHECK_PROBLEM,
     .function = probe_programs,
     .needs = NEEDS_TARGET,
     .advice = "Install the client programs of the target's major on this machine."},
    {.id = "row-security",
     .title = "Tables whose policies hide rows from the role of --source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME
            ", 'row security applies to the role', format('ALTER ROLE %I BYPASSRLS', current_user) "
            "FROM " USER_RELATIONS " WHERE c.relkind IN ('r', 'p') AND row_security_active(c.oid) ORDER BY 1",
     .advice = "The copy does not go without rows in silence: it would be refused. Give the role BYPASSRLS, "
               "or connect as a superuser."},
    {.id = "source-locks",
     .title = "Room for the locks of pg_dump at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'max_locks_per_transaction', " LOCK_FINDING(
         "tables, each of which pg_dump locks") " FROM (SELECT count(*) AS n FROM " USER_RELATIONS
                                                " WHERE c.relkind IN ('r', 'p', 'S')) t, " LOCKS
                                                " WHERE n * 1.25 > room",
     .advice = "It takes a restart of the source."},
    {.id = "target-locks",
     .title = "Room for the locks of the way back on the target",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .gather = "SELECT to_json(count(*)) FROM " USER_RELATIONS " WHERE c.relkind IN ('r', 'p')",
     .sql = "SELECT 'max_locks_per_transaction', " LOCK_FINDING(
         "tables, each of which is locked for the publication of the cutover") " FROM (SELECT ($1::json #>> "
                                                                               "'{}')::int8 "
                                                                               "AS n) t, " LOCKS
                                                                               " WHERE n * 1.25 > room",
     .advice = "It takes a restart of the target, better now than before the cutover."},
    {.id = "target-wal-level",
     .title = "wal_level of the target, for the way back",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .sql = "SELECT 'wal_level', current_setting('wal_level'), 'ALTER SYSTEM SET wal_level = logical' "
            "WHERE current_setting('wal_level') <> 'logical'",
     .advice = "Without it there is no rollback after the cutover (--no-reverse). It takes a restart of the "
               "target, better now."},
    {.id = "target-slots",
     .title = "Free replication slots and WAL senders of the target, for the way back",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .sql = "SELECT name, format('%s, %s in use', setting, used::text), format('ALTER SYSTEM SET %I = %s', "
            "name, (used + 4)::text) "
            "FROM (SELECT s.name, s.setting, CASE s.name WHEN 'max_replication_slots' THEN (SELECT count(*) "
            "FROM pg_replication_slots) "
            "ELSE (SELECT count(*) FROM pg_stat_replication) END AS used FROM pg_settings s "
            "WHERE s.name IN ('max_replication_slots', 'max_wal_senders')) u WHERE setting::int8 <= used",
     .advice =
         "The cutover makes a slot there, which the source reads from. It takes a restart of the target."},
    {.id = "source-workers",
     .title = "Logical replication workers of the source, for the way back",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT name, setting, format('ALTER SYSTEM SET %I = 4', name) FROM pg_settings WHERE "
            "setting::int8 < 1 "
            "AND name IN ('max_logical_replication_workers', 'max_worker_processes')",
     .advice = "The source's subscription runs in one. It takes a restart of the source."},
    {.id = "fewer-connections",
     .title = "Connections that the target allows",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = "SELECT to_json(current_setting('max_connections'))",
     .sql = "SELECT 'max_connections', format('%s, %s at the source', current_setting('max_connections'), "
            "$1::json #>> '{}'),"
            " format('ALTER SYSTEM SET max_connections = %s', $1::json #>> '{}')"
            " WHERE current_setting('max_connections')::int8 < ($1::json #>> '{}')::int8",
     .advice = "After the switch clients may find no place. It takes a restart of the target."},
    {.id = "server-settings",
     .title = "Settings that applications would find different",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather =
         "SELECT coalesce(json_object_agg(name, json_build_object('value', reset_val, 'built_in', reset_val "
         "= boot_val)), '{}') FROM pg_settings s WHERE name IN " NOTICED
         " AND NOT EXISTS (SELECT FROM pg_db_role_setting d, unnest(d.setconfig) u WHERE split_part(u, '=', "
         "1) = s.name"
         "   AND d.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database()))",
     .sql = "SELECT name, format('%s, %s at the source', reset_val, $1::json -> name ->> 'value'),"
            " format('ALTER DATABASE %I SET %I = %L', current_database(), name, $1::json -> name ->> 'value')"
            " FROM pg_settings WHERE ($1::json -> name ->> 'value') <> reset_val"
            /* What both majors have built in is a matter of release notes. */
            " AND NOT (($1::json -> name ->> 'built_in')::boolean AND reset_val = boot_val) ORDER BY 1",
     .advice = "Settings of the server itself are not moved; those of the database and of roles in it are."},
    {.id = "sort-order",
     .title = "The order of fifty words on both sides",
     .severity = CHECK_WARNING,
     .side = ON_TARGET,
     .gather = "SELECT to_json(" SORTED ")",
     .sql =
         "SELECT 'default collation', concat('source ', $1::json #>> '{}', '; target ', s), NULL FROM " SORTED
         " AS q (s) WHERE s <> ($1::json #>> '{}')",
     .advice = "The same name of a locale sorts differently with another libc or ICU: lists change their "
               "order, and ranges of text "
               "(partitions, BETWEEN) their members. Indexes are built anew and are right."},
    {.id = "invalid-indexes",
     .title = "Indexes that are not valid",
     .severity = CHECK_NOTE,
     .side = ON_SOURCE,
     .sql = "SELECT " RELATION_NAME
            ", 'is not moved', format('REINDEX INDEX %I.%I', n.nspname, c.relname) FROM " USER_RELATIONS
            " JOIN pg_index i ON i.indexrelid = c.oid JOIN pg_class t ON t.oid = i.indrelid"
            " WHERE NOT i.indisvalid AND t.relkind <> 'p' ORDER BY 1",
     .advice = "What is left of CREATE INDEX CONCURRENTLY that failed: drop it, or build it anew."},
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
            "('pg_cron', 'pg_partman', 'timescaledb', 'pglogical', 'pg_timetable', 'pgagent', 'citus', "
            "'bucardo') ORDER BY 1",
     .advice = "Their jobs would run on both sides: keep them off on the target until the switch, and off at "
               "the source behind it."},
};

const CheckGroup check_both_rows = {"Copy, cutover and way back", rows, sizeof rows / sizeof rows[0]};
