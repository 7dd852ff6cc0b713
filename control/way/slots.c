/*
 * The slots of both ways. Each is made before clients are held, since the making waits for transactions; and is moved on while
 * they are held and both sides are equal: the WAL behind it holds what clients write there and nothing else of these tables.
 */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "reverse_parts.h"
#include "watched.h"

#define LOOK_AGAIN_MS 10

int reverse_state(Database *target, const Migration *migration, ReverseState *out, Error *error)
{
    char name[64], unused[64];
    PGresult *result;
    reverse_names(migration, name, unused);
    *out = (ReverseState){.exists = false};
    if (!reverse_possible(migration)) {
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

int reverse_streams(Database *target, const Migration *migration, int limit_ms, bool *streams, Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (;; clock_pause_ms(LOOK_AGAIN_MS)) {
        ReverseState state;
        if (reverse_state(target, migration, &state, error) != 0) {
            return -1;
        }
        *streams = state.active;
        if (state.active || clock_ms() > deadline) {
            return 0;
        }
    }
}

/*
 * Names of slots are the server's: another database's migration may have one of the same name, whose changes are needed, and so
 * may a user. Ours is of this database, and of our plugin.
 */
#define OF_OURS " slot_name = $1 AND database = current_database() AND plugin = $2"

static int slot_exists(Database *database, const char *name, const char *plugin, bool *exists, Error *error)
{
    return database_found(database, exists, error, "SELECT 1 FROM pg_replication_slots WHERE" OF_OURS, 2,
                          name, plugin);
}

/* The name is free, or ours. */
static int refuse_foreign(Database *database, const char *name, const char *plugin, Error *error)
{
    char *of = NULL;
    if (database_value(database, &of, error,
                       "SELECT CASE WHEN database IS NULL THEN 'physical'"
                       "  ELSE format('of database %s, plugin %s', database, plugin) END"
                       " FROM pg_replication_slots WHERE slot_name = $1"
                       " AND NOT coalesce(database = current_database() AND plugin = $2, false)",
                       2, name, plugin) != 0) {
        return -1;
    }
    if (of == NULL) {
        return 0;
    }
    error_set(error, ERROR_STATE, "a replication slot %s is there that this migration did not make (%s)",
              name, of);
    free(of);
    return error_hint(
        error,
        "Where another database's migration has the same name, that is its slot: bring that one "
        "to its end first (penstock finish). Where nobody needs it, drop it there: "
        "SELECT pg_drop_replication_slot('%s')",
        name);
}

int reverse_slot_is_free(Database *target, const Migration *migration, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    return reverse_possible(migration) ? refuse_foreign(target, name, "pgoutput", error) : 0;
}

/* Ends who uses our slot and drops it; the server of a subscription that was dropped takes a moment to see it. */
static int drop_slot(Database *database, const char *name, const char *plugin, int limit_ms, Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (;;) {
        bool there;
        int status = database_execute(database, error,
                                      "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                                      " WHERE active AND" OF_OURS,
                                      2, name, plugin);
        if (status == 0) {
            status = database_execute(database, error,
                                      "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                                      " WHERE NOT active AND" OF_OURS,
                                      2, name, plugin);
        }
        if (status != 0 && PQstatus(database_connection(database)) != CONNECTION_OK) {
            return -1;
        }
        Error failure;
        if (slot_exists(database, name, plugin, &there, &failure) != 0) {
            *error = failure;
            return -1;
        }
        if (!there) {
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

/* Made anew when there is one: it would send what came before. */
static int make_slot(Database *database, const char *name, const char *plugin, const WatchedWait *wait,
                     Error *error)
{
    char sql[320];
    bool exists;
    if (refuse_foreign(database, name, plugin, error) != 0 ||
        slot_exists(database, name, plugin, &exists, error) != 0 ||
        (exists && drop_slot(database, name, plugin, wait->limit_ms, error) != 0)) {
        return -1;
    }
    snprintf(sql, sizeof sql, "SELECT pg_create_logical_replication_slot('%.63s', '%.63s')", name, plugin);
    return watched_run(database, sql, "making a slot, which waits for transactions that write anywhere there",
                       wait, error) == 0
               ? 0
               : error_context(error, "making slot %s", name);
}

/*
 * To where the WAL ends now. A transaction that is open at that moment and commits later is still sent, whole; who calls has
 * seen to it that there is none of these tables.
 */
static int move_slot(Database *database, const char *name, Lsn *begins, Error *error)
{
    char *lsn = NULL;
    int status =
        database_execute(database, error, "SELECT pg_logical_emit_message(true, 'penstock', 'begin')", 0);
    if (status == 0) {
        status = database_value(
            database, &lsn, error,
            "SELECT end_lsn FROM pg_replication_slot_advance($1, pg_current_wal_flush_lsn())", 1, name);
    }
    if (status == 0 && (lsn == NULL || !lsn_parse(lsn, begins))) {
        status = error_set(error, ERROR_STATE, "slot %s has no position", name);
    }
    free(lsn);
    return status;
}

int reverse_make_slot(Database *target, const Migration *migration, const WatchedWait *wait, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    return make_slot(target, name, "pgoutput", wait, error);
}

int reverse_move_slot(Database *target, const Migration *migration, Lsn *begins, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    return move_slot(target, name, begins, error);
}

int reverse_make_forward(Database *source, const Migration *migration, const WatchedWait *wait, Error *error)
{
    return make_slot(source, migration->slot_name, "penstock", wait, error);
}

int reverse_move_forward(Database *source, const Migration *migration, Lsn *begins, Error *error)
{
    return move_slot(source, migration->slot_name, begins, error);
}

/* Insert, update, delete and truncate; begin and commit come of every transaction, also of one that published nothing. */
int reverse_written(Database *target, const Migration *migration, Lsn since, int64_t *changes, Error *error)
{
    char all[64], inserts[64], names[160], from[LSN_TEXT_SIZE];
    char *count = NULL;
    reverse_names(migration, all, inserts);
    snprintf(names, sizeof names, "%s,%s", all, inserts);
    int status = database_value(target, &count, error,
                                "SELECT count(*) FROM pg_logical_slot_peek_binary_changes($1, NULL, NULL,"
                                " 'proto_version', '1', 'publication_names', $2)"
                                " WHERE chr(get_byte(data, 0)) IN ('I', 'U', 'D', 'T') AND lsn > $3::pg_lsn"
                                "   AND xid NOT IN (SELECT xmin FROM penstock.lane WHERE migration = $4)",
                                4, all, names, lsn_format(since, from), migration->name);
    *changes = count != NULL ? atoll(count) : 0;
    free(count);
    return status;
}

int reverse_forward_begins(Database *source, const Migration *migration, Lsn *out, Error *error)
{
    char *lsn = NULL;
    *out = LSN_INVALID;
    int status = database_value(source, &lsn, error,
                                "SELECT confirmed_flush_lsn FROM pg_replication_slots"
                                " WHERE slot_name = $1 AND database = current_database()",
                                1, migration->slot_name);
    if (status == 0 && lsn != NULL && !lsn_parse(lsn, out)) {
        status = error_set(error, ERROR_STATE, "slot %s has no position", migration->slot_name);
    }
    free(lsn);
    return status;
}

int reverse_drop_slot(Database *target, const Migration *migration, int limit_ms, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    if (!reverse_possible(migration)) {
        return 0;
    }
    return drop_slot(target, name, "pgoutput", limit_ms, error);
}

int reverse_end_forward(Database *source, const Migration *migration, int limit_ms, Error *error)
{
    return drop_slot(source, migration->slot_name, "penstock", limit_ms, error);
}
