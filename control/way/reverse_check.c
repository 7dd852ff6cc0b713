/*
 * What can be known of the way back before clients are held. The login from the source is tried by the server itself: it
 * makes the subscription, in a transaction that is rolled back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reverse_parts.h"

/* A condition that one of the servers must meet; the query gives NULL, or what is wrong. */
typedef struct Need {
    DatabaseEnd end;
    const char *query;
} Need;

static const Need needs[] = {
    {DATABASE_TARGET, "SELECT format('the target has wal_level = %s, not logical', s)"
                      " FROM current_setting('wal_level') s WHERE s <> 'logical'"},
    {DATABASE_TARGET,
     "SELECT 'the target has no replication slot left: raise max_replication_slots'"
     " WHERE (SELECT count(*) FROM pg_replication_slots) >= current_setting('max_replication_slots')::int"},
    {DATABASE_TARGET,
     "SELECT 'the target has no WAL sender left: raise max_wal_senders'"
     " WHERE (SELECT count(*) FROM pg_stat_replication) >= current_setting('max_wal_senders')::int"},
    {DATABASE_SOURCE, "SELECT 'the source allows no more logical replication: raise "
                      "max_logical_replication_workers'"
                      " WHERE (SELECT count(*) FROM pg_stat_subscription WHERE pid IS NOT NULL)"
                      "  >= current_setting('max_logical_replication_workers')::int"},
    {DATABASE_SOURCE,
     "SELECT 'the source can start no more background workers: raise max_worker_processes'"
     " WHERE (SELECT count(*) FROM pg_stat_activity WHERE backend_type NOT IN ('client backend', 'walsender',"
     "  'walreceiver', 'autovacuum launcher', 'autovacuum worker', 'background writer', 'checkpointer',"
     "  'walwriter', 'startup', 'archiver', 'parallel worker'))"
     "  >= current_setting('max_worker_processes')::int"},
    {DATABASE_SOURCE,
     "SELECT 'the source can follow no more origins: raise max_replication_slots'"
     " WHERE (SELECT count(*) FROM pg_replication_origin) >= current_setting('max_replication_slots')::int"},
};

static int check_needs(Database *source, Database *target, Error *error)
{
    for (size_t i = 0; i < sizeof needs / sizeof *needs; i++) {
        char *wrong = NULL;
        if (database_value(needs[i].end == DATABASE_SOURCE ? source : target, &wrong, error, needs[i].query,
                           0) != 0) {
            return -1;
        }
        if (wrong != NULL) {
            error_set(error, ERROR_STATE, "the way back: %s", wrong);
            free(wrong);
            return error_hint(error, "Or go without a way back: --no-reverse.");
        }
    }
    return 0;
}

/* The server itself makes the connection that the subscription will make, and everything is rolled back. */
static int try_login(Database *source, const char *name, const char *conninfo, Error *error)
{
    char rest[256];
    snprintf(rest, sizeof rest,
             "PUBLICATION %s WITH (enabled = false, create_slot = false, copy_data = false)", name);
    if (database_execute(source, error, "BEGIN", 0) != 0) {
        return -1;
    }
    return reverse_rollback(source, reverse_create_subscription(source, name, conninfo, rest, error));
}

static bool has_password(const char *conninfo)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    bool found = false;
    for (const PQconninfoOption *one = all; one != NULL && one->keyword != NULL; one++) {
        found = found || (strcmp(one->keyword, "password") == 0 && one->val != NULL && *one->val != '\0');
    }
    PQconninfoFree(all);
    return found;
}

/* Without its password first: what is not needed is not stored. */
static int check_login(Database *source, const char *name, char **conninfo, Error *error)
{
    char *without = has_password(*conninfo) ? database_redact(*conninfo) : NULL;
    Error ignored;
    if (without != NULL && try_login(source, name, without, &ignored) == 0) {
        free(*conninfo);
        *conninfo = without;
        return 0;
    }
    free(without);
    if (try_login(source, name, *conninfo, error) == 0) {
        return 0;
    }
    error_context(error, "the way back: from the source to the target");
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

int reverse_check(Database *source, Database *target, const Migration *migration, char **conninfo,
                  char *warning, size_t size, Error *error)
{
    char name[64], inserts[512], nothing[512];
    char *triggers = NULL;
    *warning = '\0';
    if (reverse_name(migration, name, error) != 0 || check_needs(source, target, error) != 0 ||
        check_login(source, name, conninfo, error) != 0 ||
        reverse_limits(target, migration, inserts, nothing, sizeof inserts, error) != 0 ||
        name_triggers(source, &triggers, error) != 0) {
        return -1;
    }
    warn(warning, size,
         "no replica identity that the source can use, only INSERT and TRUNCATE will come back", inserts);
    warn(warning, size, "unlogged, nothing will come back", nothing);
    if (has_password(*conninfo)) {
        warn(warning, size, "stored in pg_subscription on the source, where superusers can read it",
             "the password of --reverse-conninfo. Better: put it into ~/.pgpass, or a service file, of the "
             "user that "
             "the source's server runs as, and leave it out");
    }
    warn(warning, size, "triggers that fire for replication and must not write behind the fence", triggers);
    free(triggers);
    return 0;
}
