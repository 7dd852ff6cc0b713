/*
 * Checks of the two servers as such: can they be reached, do they have what logical decoding needs, is
 * anything going on in the source that a new slot would have to wait for.
 *
 * Making a slot waits for every transaction with a transaction ID that runs at that moment, in any database.
 */
#include "check.h"
#include "sql.h"

static const CheckRow rows[] = {
    {.id = "source-reachable",
     .title = "Connection to the source",
     .severity = CHECK_PROBLEM,
     .function = probe_source,
     .advice = "Until it can be reached, nothing else of it can be looked at."},
    {.id = "target-reachable",
     .title = "Connection to the target",
     .severity = CHECK_PROBLEM,
     .function = probe_target,
     .advice =
         "Until it can be reached, nothing else of it can be looked at; where its database is all that is "
         "missing, nothing but its server."},
    {.id = "left-behind",
     .title = "What stays behind, as --only, --exclude and --schema-only say",
     .severity = CHECK_NOTE,
     .function = probe_left_behind,
     .needs = NEEDS_SOURCE,
     .advice = "The cutover wants it accepted: --accept-left-behind."},
    {.id = "selection",
     .title = "Patterns of --only, --exclude and --schema-only that fit nothing",
     .severity = CHECK_PROBLEM,
     .function = probe_selection,
     .needs = NEEDS_SOURCE,
     .advice = "Spell them as the source does: SCHEMA.TABLE, upper and lower case as they are."},
    {.id = "versions",
     .title = "Versions of both servers",
     .severity = CHECK_PROBLEM,
     .function = probe_versions,
     .needs = NEEDS_SOURCE | NEEDS_TARGET,
     .advice = "Choose other servers; Penstock moves forward in versions only."},
    {.id = "source-not-standby",
     .title = "The source as a primary",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'source', 'it is in recovery', NULL WHERE pg_is_in_recovery()",
     .advice = "Name the primary as --source: changes are decoded there."},
    {.id = "target-writable",
     .title = "The target as a primary that accepts writes",
     .severity = CHECK_PROBLEM,
     .side = ON_TARGET,
     .sql = "SELECT 'target', CASE WHEN pg_is_in_recovery() THEN 'it is in recovery' "
            "ELSE 'default_transaction_read_only is on' END, NULL "
            "WHERE pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool",
     .advice = "Name a primary as --target, and let it accept writes."},
    {.id = "wal-level",
     .title = "wal_level at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql =
         "SELECT name, format('it is %s', setting), 'ALTER SYSTEM SET wal_level = logical' FROM pg_settings "
         "WHERE name = 'wal_level' AND setting <> 'logical'",
     .advice = "Set it and restart the source: it is the only setting here that needs a restart."},
    {.id = "replication-slots",
     .title = "Free replication slots at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql =
         "SELECT 'max_replication_slots', format('%s, of which %s are used by others', m.setting, u.used), "
         "format('ALTER SYSTEM SET max_replication_slots = %s', u.used + 4) "
         "FROM pg_settings m, (SELECT count(*) AS used FROM pg_replication_slots "
         "WHERE plugin IS DISTINCT FROM 'penstock') u "
         "WHERE m.name = 'max_replication_slots' AND m.setting::int - u.used < 2",
     .advice = "Drop slots that nobody uses, or raise the setting and restart the source."},
    {.id = "wal-senders",
     .title = "Free WAL senders at the source",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql = "SELECT 'max_wal_senders', format('%s, of which %s are used by others', m.setting, u.used), "
            "format('ALTER SYSTEM SET max_wal_senders = %s', u.used + 4) "
            "FROM pg_settings m, (SELECT count(*) AS used FROM pg_stat_replication "
            "WHERE application_name !~ '^penstock') u "
            "WHERE m.name = 'max_wal_senders' AND m.setting::int - u.used < 2",
     .advice = "Raise the setting and restart the source, or end connections that nobody uses."},
    {.id = "wal-sender-timeout",
     .title = "wal_sender_timeout at the source",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT name, CASE setting WHEN '0' THEN 'it is off: a lost connection keeps the slot busy for "
            "ever' "
            "ELSE format('it is %s ms: short stalls of the network would cut the stream', setting) END, "
            "'ALTER SYSTEM SET wal_sender_timeout = ''60s''' FROM pg_settings "
            "WHERE name = 'wal_sender_timeout' AND setting::int < 10000",
     .advice = "Set it and reload the source (pg_reload_conf); no restart is needed."},
    {.id = "slot-wal-limit",
     .title = "Limit of the WAL that a slot may keep at the source",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT name, format('it is %s MB: a copy that takes longer than that loses the slot', setting), "
            "'ALTER SYSTEM SET max_slot_wal_keep_size = -1' "
            "FROM pg_settings WHERE name = 'max_slot_wal_keep_size' AND setting <> '-1'",
     .advice = "Make sure that it is more than the WAL written during the copy."},
    {.id = "idle-slots",
     .title = "Forgotten replication slots at the source",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT slot_name, format('%s slot of %s, not active, holds %s of WAL', slot_type, "
            "CASE WHEN plugin IS NULL THEN 'a standby' ELSE format('plugin %s', plugin) END, "
            "pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn))), "
            "format('SELECT pg_drop_replication_slot(%L)', slot_name) "
            "FROM pg_replication_slots WHERE NOT active AND restart_lsn IS NOT NULL "
            "AND plugin IS DISTINCT FROM 'penstock'",
     .advice = "Drop it if nobody will come back for it."},
    {.id = "prepared-transactions",
     .title = "Prepared transactions at the source, older than 10 seconds",
     .severity = CHECK_PROBLEM,
     .side = ON_SOURCE,
     .sql =
         "SELECT gid, format('prepared %s ago by %I in database %I', date_trunc('second', now() - prepared), "
         "owner, database), format('ROLLBACK PREPARED %L', gid) "
         "FROM pg_prepared_xacts WHERE prepared < now() - interval '10 seconds' ORDER BY prepared",
     .advice = "A new slot waits for them, for ever if nobody ends them: commit or roll back each one."},
    {.id = "long-transactions",
     .title = "Writing transactions at the source, older than a minute",
     .severity = CHECK_WARNING,
     .side = ON_SOURCE,
     .sql = "SELECT format('pid %s', pid), format('running for %s by %I in database %I, %s, query: %s', "
            "date_trunc('second', now() - xact_start), usename, datname, state, " SHORT_QUERY "), "
            "format('SELECT pg_terminate_backend(%s)', pid) FROM pg_stat_activity "
            "WHERE backend_xid IS NOT NULL AND xact_start < now() - interval '1 minute' "
            "AND pid <> pg_backend_pid() ORDER BY xact_start",
     .advice = "A new slot waits for them: let them end before `penstock copy`, or end them."},
    {.id = "replication-connection",
     .title = "Replication connection to the source",
     .severity = CHECK_PROBLEM,
     .function = probe_replication,
     .needs = NEEDS_SOURCE,
     .advice = "The role needs REPLICATION, and pg_hba.conf a line that lets it into this database."},
    {.id = "plugin",
     .title = "Plugin penstock at the source",
     .severity = CHECK_PROBLEM,
     .function = probe_plugin,
     .needs = NEEDS_SOURCE,
     .advice = "Put penstock.so of this version and the source's major into its `pg_config --pkglibdir`."},
    {.id = "plugin-version",
     .title = "Version of the plugin",
     .severity = CHECK_WARNING,
     .function = probe_plugin_version,
     .needs = NEEDS_SOURCE,
     .advice = "Run the check again when the transactions that it names above have ended."},
};

const CheckGroup check_server_rows = {"Servers", rows, sizeof rows / sizeof rows[0]};
