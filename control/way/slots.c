/*
 * The slots of both ways. Each is made before clients are held, since the making waits for transactions; and is moved on while
 * they are held and both sides are equal: the WAL behind it holds what clients write there and nothing else of these tables.
 */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "names.h"
#include "own_slot.h"
#include "reverse_parts.h"
#include "watched.h"

#define LOOK_AGAIN_MS 10

/* Changes are counted one by one up to there. Of SQL. */
#define COUNTED "2000"

int reverse_state(Database *target, const Migration *migration, ReverseState *out, Error *error)
{
    char name[64], unused[64];
    OwnSlot slot;
    reverse_names(migration, name, unused);
    *out = (ReverseState){.exists = false};
    if (!reverse_possible(migration)) {
        return 0;
    }
    if (own_slot_look(target, name, PLUGIN_BACK, &slot, error) != 0) {
        return -1;
    }
    if (slot.exists) {
        *out = (ReverseState){
            .exists = true, .active = slot.active, .confirmed = slot.confirmed, .lag = slot.lag};
    }
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

int reverse_slot_is_free(Database *target, const Migration *migration, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    return reverse_possible(migration) ? own_slot_refuse_foreign(target, name, PLUGIN_BACK, error) : 0;
}

/* Made anew when there is one: it would send what came before. */
static int make_slot(Database *database, const char *name, const char *plugin, const WatchedWait *wait,
                     Error *error)
{
    char sql[320];
    OwnSlot slot;
    if (own_slot_refuse_foreign(database, name, plugin, error) != 0 ||
        own_slot_look(database, name, plugin, &slot, error) != 0 ||
        (slot.exists && own_slot_drop(database, name, plugin, wait->limit_ms, error) != 0)) {
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
    return make_slot(target, name, PLUGIN_BACK, wait, error);
}

int reverse_move_slot(Database *target, const Migration *migration, Lsn *begins, Error *error)
{
    char name[64], unused[64];
    reverse_names(migration, name, unused);
    return move_slot(target, name, begins, error);
}

int reverse_make_forward(Database *source, const Migration *migration, const WatchedWait *wait, Error *error)
{
    return make_slot(source, migration->slot_name, PLUGIN_THERE, wait, error);
}

int reverse_move_forward(Database *source, const Migration *migration, Lsn *begins, Error *error)
{
    return move_slot(source, migration->slot_name, begins, error);
}

/* Insert, update, delete and truncate; begin and commit come of every transaction, also of one that published nothing. most: after so
 * many rows no further transaction is looked at; NULL: all are. */
static int count_written(Database *target, const Migration *migration, Lsn since, const char *most,
                         int64_t *changes, Error *error)
{
    char all[64], inserts[64], names[160], from[LSN_TEXT_SIZE];
    char *count = NULL;
    reverse_names(migration, all, inserts);
    snprintf(names, sizeof names, "%s,%s", all, inserts);
    int status = database_value(target, &count, error,
                                "SELECT count(*) FROM pg_logical_slot_peek_binary_changes($1, NULL, $5,"
                                " 'proto_version', '1', 'publication_names', $2)"
                                " WHERE chr(get_byte(data, 0)) IN ('I', 'U', 'D', 'T') AND lsn > $3::pg_lsn"
                                "   AND xid NOT IN (SELECT xmin FROM penstock.lane WHERE migration = $4)",
                                5, all, names, lsn_format(since, from), migration->name, most);
    *changes = count != NULL ? atoll(count) : 0;
    free(count);
    return status;
}

/* Clients wait for it. Where much was written, the first of it is soon found, and all of it takes long; that nothing was takes all. */
int reverse_written(Database *target, const Migration *migration, Lsn since, int64_t *changes, Error *error)
{
    if (count_written(target, migration, since, COUNTED, changes, error) != 0) {
        return -1;
    }
    return *changes > 0 ? 0 : count_written(target, migration, since, NULL, changes, error);
}

int reverse_forward_begins(Database *source, const Migration *migration, Lsn *out, Error *error)
{
    OwnSlot slot;
    *out = LSN_INVALID;
    if (own_slot_look(source, migration->slot_name, PLUGIN_THERE, &slot, error) != 0) {
        return -1;
    }
    *out = slot.confirmed;
    return slot.exists && slot.confirmed == LSN_INVALID
               ? error_set(error, ERROR_STATE, "slot %s has no position", migration->slot_name)
               : 0;
}

int reverse_drop_slot(Database *target, const Migration *migration, int limit_ms, Error *error)
{
    char name[64], unused[64];
    bool made;
    reverse_names(migration, name, unused);
    if (!reverse_possible(migration)) {
        return 0;
    }
    if (names_slot_was_made(target, migration, &made, error) != 0) {
        return -1;
    }
    return !made ? 0 : own_slot_drop(target, name, PLUGIN_BACK, limit_ms, error);
}

int reverse_end_forward(Database *source, const Migration *migration, int limit_ms, Error *error)
{
    return own_slot_drop(source, migration->slot_name, PLUGIN_THERE, limit_ms, error);
}
