/*
 * What can be known of the way back before clients are held. The login from the source is tried by the server itself: it
 * makes the subscription, in a transaction that is rolled back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reverse_parts.h"

#define LOGIN_LIMIT "15s"

/* A condition that one of the servers must meet; the query gives no row, or what is wrong and the statement that mends it. */
typedef struct Need {
    DatabaseEnd end;
    bool of_worker; /* without it the source starts no worker for a subscription */
    const char *query;
} Need;

static const Need needs[] = {
    {DATABASE_TARGET, false,
     "SELECT format('the target has wal_level = %s, not logical', s),"
     " 'ALTER SYSTEM SET wal_level = logical'"
     " FROM current_setting('wal_level') s WHERE s <> 'logical'"},
    {DATABASE_TARGET, false,
     "SELECT 'the target has no replication slot left: raise max_replication_slots',"
     " format('ALTER SYSTEM SET max_replication_slots = %s', u + 4)"
     " FROM (SELECT count(*) AS u FROM pg_replication_slots) s"
     " WHERE u >= current_setting('max_replication_slots')::int"},
    {DATABASE_TARGET, false,
     "SELECT 'the target has no WAL sender left: raise max_wal_senders',"
     " format('ALTER SYSTEM SET max_wal_senders = %s', u + 4)"
     " FROM (SELECT count(*) AS u FROM pg_stat_replication) s"
     " WHERE u >= current_setting('max_wal_senders')::int"},
    {DATABASE_SOURCE, true,
     "SELECT 'the source allows no more logical replication: raise max_logical_replication_workers',"
     " format('ALTER SYSTEM SET max_logical_replication_workers = %s', u + 4)"
     " FROM (SELECT count(*) AS u FROM pg_stat_subscription WHERE pid IS NOT NULL) s"
     " WHERE u >= current_setting('max_logical_replication_workers')::int"},
    {DATABASE_SOURCE, true,
     "SELECT 'the source can start no more background workers: raise max_worker_processes',"
     " format('ALTER SYSTEM SET max_worker_processes = %s', u + 8)"
     " FROM (SELECT count(*) AS u FROM pg_stat_activity WHERE backend_type NOT IN ('client backend', "
     "'walsender', 'walreceiver', 'autovacuum launcher', 'autovacuum worker', 'background writer', "
     "'checkpointer', 'walwriter', 'startup', 'archiver', 'parallel worker')) s"
     " WHERE u >= current_setting('max_worker_processes')::int"},
    {DATABASE_SOURCE, false,
     "SELECT 'the source can follow no more origins: raise max_replication_slots',"
     " format('ALTER SYSTEM SET max_replication_slots = %s', u + 4)"
     " FROM (SELECT count(*) AS u FROM pg_replication_origin) s"
     " WHERE u >= current_setting('max_replication_slots')::int"},
};

static void found_one(const ReverseListener *listener, const char *words, const char *fix)
{
    Error problem;
    error_set(&problem, ERROR_STATE, "the way back: %s", words);
    error_hint(&problem, "Or go without a way back: --no-reverse.");
    listener->found(listener->context, &problem, fix);
}

/* Gives the row of the need that is not met, or none. */
static int look_at_need(const Need *need, Database *source, Database *target, PGresult **wrong, Error *error)
{
    return database_query(need->end == DATABASE_SOURCE ? source : target, wrong, error, need->query, 0);
}

static int has_worker(Database *source, const Migration *migration, bool *has, Error *error)
{
    char name[64];
    return reverse_name(migration, name, error) == 0
               ? database_found(source, has, error,
                                "SELECT 1 FROM pg_stat_subscription WHERE subname = $1 AND pid IS NOT NULL",
                                1, name)
               : -1;
}

static int find_unmet(Database *source, char **why, char **fix, Error *error)
{
    for (size_t i = 0; *why == NULL && i < sizeof needs / sizeof *needs; i++) {
        PGresult *wrong = NULL;
        if (needs[i].of_worker && look_at_need(&needs[i], source, NULL, &wrong, error) != 0) {
            return -1;
        }
        if (wrong != NULL && PQntuples(wrong) > 0) {
            *why = strdup(PQgetvalue(wrong, 0, 0));
            *fix = strdup(PQgetvalue(wrong, 0, 1));
        }
        PQclear(wrong);
    }
    return 0;
}

/* Asked before and after: the last worker may be its own, begun in between. */
int reverse_no_worker(Database *source, const Migration *migration, char **why, char **fix, Error *error)
{
    bool runs = false;
    *why = *fix = NULL;
    if (has_worker(source, migration, &runs, error) != 0 ||
        (!runs && find_unmet(source, why, fix, error) != 0) ||
        (*why != NULL && has_worker(source, migration, &runs, error) != 0)) {
        return -1;
    }
    if (runs) {
        free(*why);
        free(*fix);
        *why = *fix = NULL;
    }
    return 0;
}

int reverse_check_servers(Database *source, Database *target, const Migration *migration,
                          const ReverseListener *listener, Error *error)
{
    char name[64];
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        PGresult *wrong = NULL;
        if (look_at_need(&needs[i], source, target, &wrong, error) != 0) {
            return -1;
        }
        if (PQntuples(wrong) > 0) {
            found_one(listener, PQgetvalue(wrong, 0, 0), PQgetvalue(wrong, 0, 1));
        }
        PQclear(wrong);
    }
    return reverse_name(migration, name, error) == 0
               ? reverse_check_names(source, target, migration, listener, error)
               : -1;
}

/* What a firewall swallows is given up after a while: the server's own connection has no limit. */
static int try_login(Database *source, const char *name, const char *conninfo, Error *error)
{
    char rest[256];
    snprintf(rest, sizeof rest,
             "PUBLICATION %s WITH (enabled = false, create_slot = false, copy_data = false)", name);
    if (database_execute(source, error, "BEGIN; SET LOCAL statement_timeout = '" LOGIN_LIMIT "'", 0) != 0) {
        return -1;
    }
    return reverse_rollback(source, reverse_create_subscription(source, name, conninfo, rest, error));
}

/* Without its password first: what is not needed is not stored. */
static int try_both(Database *source, const char *name, char **conninfo, bool *stored, Error *error)
{
    char *password = conninfo_get(*conninfo, "password");
    char *without = password != NULL ? database_redact(*conninfo) : NULL;
    Error ignored;
    free(password);
    *stored = without != NULL;
    if (without != NULL && try_login(source, name, without, &ignored) == 0) {
        free(*conninfo);
        *conninfo = without;
        *stored = false;
        return 0;
    }
    free(without);
    return try_login(source, name, *conninfo, error);
}

/* The server itself makes the connection that the subscription will make, and everything is rolled back. */
int reverse_check_login(Database *source, const Migration *migration, char **conninfo, bool *stored,
                        Error *error)
{
    char name[64];
    if (reverse_name(migration, name, error) != 0) {
        return -1;
    }
    if (try_both(source, name, conninfo, stored, error) == 0) {
        return 0;
    }
    if (strcmp(error->sqlstate, "57014") == 0) {
        error_set(error, ERROR_STATE, "no answer within " LOGIN_LIMIT);
    }
    error->code = error->code == ERROR_SOURCE ? ERROR_STATE : error->code;
    error_context(error, "the way back: from the source to the target");
    if (strstr(error->message, "no password supplied") != NULL) {
        return error_hint(
            error, "The source's server makes that connection: its user there needs the password, in "
                   "~/.pgpass of the user that the server runs as, or in --reverse-conninfo. Or go without "
                   "a way back: --no-reverse.");
    }
    return error_hint(error, "--reverse-conninfo says how the source reaches the target; without a way back: "
                             "--no-reverse.");
}

static int name_triggers(Database *source, char **out, Error *error)
{
    return database_value(source, out, error,
                          "SELECT string_agg(DISTINCT tgrelid::regclass::text, ', ') FROM pg_trigger"
                          " WHERE tgenabled IN ('A', 'R') AND NOT tgisinternal",
                          0);
}

static void warn(char *warning, size_t size, const char *what, const char *tables)
{
    size_t used = strlen(warning);
    if (tables != NULL && *tables != '\0') {
        snprintf(warning + used, size - used, "%s%s: %s", used > 0 ? "; " : "", what, tables);
    }
}

int reverse_name_limits(Database *source, Database *target, const Migration *migration, char *warning,
                        size_t size, Error *error)
{
    char inserts[512], nothing[512];
    char *triggers = NULL;
    *warning = '\0';
    int status = target != NULL ? reverse_limits(target, migration, inserts, nothing, sizeof inserts, error)
                                : reverse_source_limits(source, inserts, nothing, sizeof inserts, error);
    if (status != 0 || name_triggers(source, &triggers, error) != 0) {
        return -1;
    }
    warn(warning, size,
         "no replica identity that the source can use, only INSERT and TRUNCATE will come back", inserts);
    warn(
        warning, size,
        "unlogged, or its rows belong into other partitions at the source (which a subscription there cannot "
        "find), nothing will come back",
        nothing);
    warn(warning, size, "triggers that fire for replication and must not write behind the fence", triggers);
    free(triggers);
    return 0;
}
