/*
 * The slot is made while clients are held and the source is fenced, after the applier has passed the final position: the
 * target's WAL behind it holds what clients write there and nothing else of these tables.
 *
 * Names are made of the migration's, which has no characters that would need quotes.
 */
#include "reverse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define LOOK_AGAIN_MS 10

/* The tables of the migration on the target, with what can become of each; $1 is the migration. */
#define TABLES                                                                                               \
    " FROM (SELECT format('%I.%I', r.schema_name, r.table_name) AS name,"                                    \
    "  CASE WHEN c.relkind <> 'r' OR c.relpersistence <> 'p' THEN 'nothing'"                                 \
    "   WHEN c.relreplident = 'i' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"               \
    "    AND i.indisreplident) THEN 'all'"                                                                   \
    "   WHEN c.relreplident = 'd' AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid"               \
    "    AND i.indisprimary) THEN 'all'"                                                                     \
    "   WHEN c.relreplident = 'f' AND NOT EXISTS (SELECT FROM pg_attribute a JOIN pg_type t"                 \
    "    ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = nullif(t.typelem, 0)"                          \
    "    AND t.typcategory = 'A' WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"           \
    "    AND coalesce(e.oid, nullif(t.typbasetype, 0), t.oid) = ANY ('{json,xml,point,line,lseg,box,path,"   \
    "polygon,circle}'::regtype[])) THEN 'all'"                                                               \
    "   ELSE 'inserts' END AS comes_back"                                                                    \
    "  FROM penstock.relation r JOIN pg_class c"                                                             \
    "   ON c.oid = to_regclass(format('%I.%I', r.schema_name, r.table_name)) WHERE r.migration = $1) t"

/* A migration with a longer name has no way back. */
static bool has_name(const Migration *migration)
{
    return strlen(migration->slot_name) + strlen("reverse_") <= 63;
}

static void publication_names(const Migration *migration, char all[64], char inserts[64])
{
    const char *name = migration->slot_name + strlen("penstock_");
    snprintf(all, 64, "penstock_reverse_%.46s", name);
    snprintf(inserts, 64, "penstock_inserts_%.46s", name);
}

int reverse_name(const Migration *migration, char out[64], Error *error)
{
    if (!has_name(migration)) {
        error_set(error, ERROR_USAGE, "the migration's name is too long for the slot of the way back");
        return error_hint(error, "46 characters at most; or go without a way back: --no-reverse.");
    }
    char inserts[64];
    publication_names(migration, out, inserts);
    return 0;
}

/* --- beforehand --- */

static int table_list(Database *target, const Migration *migration, const char *comes_back,
                      const char *separator, char **out, Error *error)
{
    return database_value(target, out, error,
                          "SELECT string_agg(name, $3 ORDER BY name)" TABLES " WHERE comes_back = $2", 3,
                          migration->name, comes_back, separator);
}

int reverse_limits(Database *target, const Migration *migration, char *inserts, char *nothing, size_t size,
                   Error *error)
{
    char *some = NULL, *none = NULL;
    int status = table_list(target, migration, "inserts", ", ", &some, error);
    if (status == 0) {
        status = table_list(target, migration, "nothing", ", ", &none, error);
    }
    snprintf(inserts, size, "%s", some != NULL ? some : "");
    snprintf(nothing, size, "%s", none != NULL ? none : "");
    free(some);
    free(none);
    return status;
}

/* A condition that one of the servers must meet; the query gives NULL, or what is wrong. */
typedef struct Need {
    DatabaseEnd end;
    const char *query;
} Need;

static const Need needs[] = {
    {DATABASE_TARGET, "SELECT 'the target has wal_level = ' || s || ', not logical'"
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

/* Runs a statement that holds conninfo's password: the server is asked not to log it. Inside a transaction. */
static int create_subscription(Database *source, const char *name, const char *conninfo, const char *rest,
                               Error *error)
{
    char *literal = PQescapeLiteral(database_connection(source), conninfo, strlen(conninfo));
    char *sql = NULL;
    if (literal == NULL || asprintf(&sql,
                                    "SET LOCAL log_statement = none; SET LOCAL log_min_duration_statement = "
                                    "-1; SET LOCAL log_min_error_statement = panic; "
                                    "CREATE SUBSCRIPTION %s CONNECTION %s %s",
                                    name, literal, rest) < 0) {
        PQfreemem(literal);
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    int status = database_execute(source, error, sql, 0);
    PQfreemem(literal);
    free(sql);
    return status;
}

static int rollback_transaction(Database *database, int status)
{
    Error ignored;
    return database_execute(database, &ignored, "ROLLBACK", 0) == 0 ? status : -1;
}

/* The server itself makes the connection that the subscription will make, and everything is rolled back. */
static int check_login(Database *source, const char *name, const char *conninfo, Error *error)
{
    char rest[256];
    snprintf(rest, sizeof rest,
             "PUBLICATION %s WITH (enabled = false, create_slot = false, copy_data = false)", name);
    if (database_execute(source, error, "BEGIN", 0) != 0) {
        return -1;
    }
    int status = rollback_transaction(source, create_subscription(source, name, conninfo, rest, error));
    if (status != 0) {
        error_context(error, "the way back: from the source to the target");
        error_hint(error, "--reverse-conninfo says how the source reaches the target; without a way back: "
                          "--no-reverse.");
    }
    return status;
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

int reverse_check(Database *source, Database *target, const Migration *migration, const char *conninfo,
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
    warn(warning, size, "triggers that fire for replication and must not write behind the fence", triggers);
    free(triggers);
    return 0;
}

/* --- publications --- */

static int publish_one(Database *target, const Migration *migration, const char *name, const char *comes_back,
                       const char *options, Error *error)
{
    char *tables = NULL, *sql = NULL;
    if (table_list(target, migration, comes_back, ", ONLY ", &tables, error) != 0) {
        return -1;
    }
    int size =
        asprintf(&sql, "DROP PUBLICATION IF EXISTS %s; CREATE PUBLICATION %s %s%s WITH (publish = '%s')",
                 name, name, tables != NULL ? "FOR TABLE ONLY " : "", tables != NULL ? tables : "", options);
    int status =
        size < 0 ? error_set(error, ERROR_SYSTEM, "out of memory") : database_execute(target, error, sql, 0);
    free(tables);
    free(sql);
    return status;
}

int reverse_publish(Database *target, const Migration *migration, Error *error)
{
    char all[64], inserts[64];
    publication_names(migration, all, inserts);
    if (publish_one(target, migration, all, "all", "insert, update, delete, truncate", error) != 0) {
        return -1;
    }
    return publish_one(target, migration, inserts, "inserts", "insert, truncate", error);
}

int reverse_unpublish(Database *target, const Migration *migration, Error *error)
{
    char all[64], inserts[64], sql[256];
    publication_names(migration, all, inserts);
    if (!has_name(migration)) {
        return 0;
    }
    snprintf(sql, sizeof sql, "SET client_min_messages = warning; DROP PUBLICATION IF EXISTS %s, %s", all,
             inserts);
    return database_execute(target, error, sql, 0);
}

/* --- slot --- */

int reverse_state(Database *target, const Migration *migration, ReverseState *out, Error *error)
{
    char name[64], unused[64];
    PGresult *result;
    publication_names(migration, name, unused);
    *out = (ReverseState){.exists = false};
    if (!has_name(migration)) {
        return 0;
    }
    if (database_query(target, &result, error,
                       "SELECT active, confirmed_flush_lsn,"
                       " greatest(pg_current_wal_lsn() - confirmed_flush_lsn, 0)::int8"
                       " FROM pg_replication_slots WHERE slot_name = $1 AND database = current_database()",
                       1, name) != 0) {
        return -1;
    }
    if (PQntuples(result) > 0) {
        out->exists = true;
        out->active = PQgetvalue(result, 0, 0)[0] == 't';
        out->lag = atoll(PQgetvalue(result, 0, 2));
        if (!lsn_parse(PQgetvalue(result, 0, 1), &out->confirmed)) {
            out->confirmed = LSN_INVALID;
        }
    }
    PQclear(result);
    return 0;
}

int reverse_make_slot(Database *target, const Migration *migration, int limit_ms, Error *error)
{
    char name[64], unused[64], sql[256];
    ReverseState state;
    publication_names(migration, name, unused);
    if (reverse_state(target, migration, &state, error) != 0) {
        return -1;
    }
    if (state.exists) {
        return 0;
    }
    snprintf(sql, sizeof sql,
             "BEGIN; SET LOCAL statement_timeout = %d; SELECT pg_create_logical_replication_slot('%s', "
             "'pgoutput'); COMMIT",
             limit_ms, name);
    if (database_execute(target, error, sql, 0) == 0) {
        return 0;
    }
    error_context(error, "making slot %s on the target", name);
    error_hint(error, "It waits for the transactions that write there: end them, or go without a way back "
                      "(--no-reverse).");
    return rollback_transaction(target, -1);
}

/* Ends who uses the slot and drops it; the server of a subscription that was dropped takes a moment to see it. */
static int drop_slot(Database *database, const char *name, int limit_ms, Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (;;) {
        char *left = NULL;
        int status = database_execute(database, error,
                                      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                                      " WHERE slot_name = $1 AND active",
                                      1, name);
        if (status == 0) {
            status = database_execute(database, error,
                                      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                                      " WHERE slot_name = $1 AND NOT active",
                                      1, name);
        }
        if (status != 0 && PQstatus(database_connection(database)) != CONNECTION_OK) {
            return -1;
        }
        Error failure;
        if (database_value(database, &left, &failure,
                           "SELECT slot_name FROM pg_replication_slots WHERE slot_name = $1", 1, name) != 0) {
            *error = failure;
            return -1;
        }
        bool gone = left == NULL;
        free(left);
        if (gone) {
            *error = (Error){.code = ERROR_NONE};
            return 0;
        }
        if (clock_ms() > deadline) {
            return error_set(error, ERROR_LIMIT, "slot %s could not be dropped within %.1f s", name,
                             limit_ms / 1000.0);
        }
        clock_pause_ms(LOOK_AGAIN_MS);
    }
}

int reverse_drop_slot(Database *target, const Migration *migration, int limit_ms, Error *error)
{
    char name[64], unused[64];
    publication_names(migration, name, unused);
    if (!has_name(migration)) {
        return 0;
    }
    return drop_slot(target, name, limit_ms, error);
}

int reverse_end_forward(Database *source, const Migration *migration, int limit_ms, Error *error)
{
    return drop_slot(source, migration->slot_name, limit_ms, error);
}

/* --- subscription --- */

static int subscription_exists(Database *source, const char *name, bool *exists, Error *error)
{
    char *found = NULL;
    int status =
        database_value(source, &found, error,
                       "SELECT s.subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid"
                       " WHERE s.subname = $1 AND d.datname = current_database()",
                       1, name);
    *exists = found != NULL;
    free(found);
    return status;
}

static int wait_until_streaming(Database *target, const Migration *migration, int limit_ms, Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (;;) {
        ReverseState state;
        if (reverse_state(target, migration, &state, error) != 0) {
            return -1;
        }
        if (state.active) {
            return 0;
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT, "the subscription on the source does not stream after %.1f s",
                      limit_ms / 1000.0);
            return error_hint(error, "The log of the source says why.");
        }
        clock_pause_ms(LOOK_AGAIN_MS);
    }
}

int reverse_subscribe(Database *source, Database *target, const Migration *migration, const char *conninfo,
                      int limit_ms, Error *error)
{
    char name[64], inserts[64], rest[320];
    bool exists;
    publication_names(migration, name, inserts);
    if (subscription_exists(source, name, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        snprintf(
            rest, sizeof rest,
            "PUBLICATION %s, %s WITH (enabled = true, create_slot = false, copy_data = false, slot_name = "
            "%s, synchronous_commit = off)",
            name, inserts, name);
        if (database_execute(source, error, "BEGIN", 0) != 0) {
            return -1;
        }
        if (create_subscription(source, name, conninfo, rest, error) != 0) {
            return rollback_transaction(source, -1);
        }
        if (database_execute(source, error, "COMMIT", 0) != 0) {
            return -1;
        }
    }
    return wait_until_streaming(target, migration, limit_ms, error);
}

int reverse_unsubscribe(Database *source, const Migration *migration, Error *error)
{
    char name[64], inserts[64], sql[320];
    bool exists;
    publication_names(migration, name, inserts);
    if (!has_name(migration)) {
        return 0;
    }
    if (subscription_exists(source, name, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return 0;
    }
    snprintf(
        sql, sizeof sql,
        "ALTER SUBSCRIPTION %s DISABLE; ALTER SUBSCRIPTION %s SET (slot_name = NONE); DROP SUBSCRIPTION %s",
        name, name, name);
    return database_execute(source, error, sql, 0);
}
