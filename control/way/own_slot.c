#include "own_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define LOOK_AGAIN_MS 10

#define OURS                                                                                                 \
    " FROM pg_catalog.pg_replication_slots AS s"                                                             \
    " WHERE s.slot_name = $1 AND s.database = pg_catalog.current_database() AND s.plugin = $2"

/* wal_status is of 13. */
static const char look_sql[] =
    "SELECT s.active, coalesce(pg_catalog.to_jsonb(s) ->> 'wal_status' = 'lost', false),"
    " CASE WHEN s.active THEN (SELECT pg_catalog.format('pid %s (%s, from %s)', a.pid,"
    "   coalesce(nullif(a.application_name, ''), 'no application name'),"
    "   coalesce(pg_catalog.host(a.client_addr), 'a local socket'))"
    "  FROM pg_catalog.pg_stat_activity AS a WHERE a.pid = s.active_pid) END,"
    " s.active_pid, s.confirmed_flush_lsn,"
    " CASE WHEN NOT pg_catalog.pg_is_in_recovery()"
    "  THEN greatest(pg_catalog.pg_current_wal_lsn() - s.confirmed_flush_lsn, 0)::pg_catalog.int8 END" OURS;

static void read_row(const PGresult *row, OwnSlot *out)
{
    out->exists = true;
    out->active = *PQgetvalue(row, 0, 0) == 't';
    out->lost = *PQgetvalue(row, 0, 1) == 't';
    if (out->active && PQgetisnull(row, 0, 2)) {
        snprintf(out->user, sizeof out->user, "pid %s", PQgetvalue(row, 0, 3));
    } else {
        snprintf(out->user, sizeof out->user, "%s", PQgetvalue(row, 0, 2));
    }
    if (PQgetisnull(row, 0, 4) || !lsn_parse(PQgetvalue(row, 0, 4), &out->confirmed)) {
        out->confirmed = LSN_INVALID;
    }
    out->lag = atoll(PQgetvalue(row, 0, 5));
}

int own_slot_look(Database *database, const char *name, const char *plugin, OwnSlot *out, Error *error)
{
    PGresult *row = NULL;
    *out = (OwnSlot){.exists = false, .confirmed = LSN_INVALID};
    if (database_query(database, &row, error, look_sql, 2, name, plugin) != 0) {
        return error_context(error, "looking for slot %s", name);
    }
    if (PQntuples(row) > 0) {
        read_row(row, out);
    }
    PQclear(row);
    return 0;
}

int own_slot_refuse_foreign(Database *database, const char *name, const char *plugin, Error *error)
{
    char *of = NULL;
    if (database_value(database, &of, error,
                       "SELECT CASE WHEN database IS NULL THEN 'physical'"
                       "  ELSE pg_catalog.format('of database %s, plugin %s', database, plugin) END"
                       " FROM pg_catalog.pg_replication_slots WHERE slot_name = $1"
                       " AND NOT coalesce(database = pg_catalog.current_database() AND plugin = $2, false)",
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
        "to its end first (penstock finish), or name this one differently with --migration. Where nobody "
        "needs it, "
        "drop it there: SELECT pg_drop_replication_slot('%s')",
        name);
}

int own_slot_drop_idle(Database *database, const char *name, const char *plugin, Error *error)
{
    return database_execute(
        database, error, "SELECT pg_catalog.pg_drop_replication_slot(s.slot_name)" OURS " AND NOT s.active",
        2, name, plugin);
}

static int end_user(Database *database, const char *name, const char *plugin, Error *error)
{
    return database_execute(database, error,
                            "SELECT pg_catalog.pg_terminate_backend(s.active_pid)" OURS " AND s.active", 2,
                            name, plugin);
}

/* Somebody may take it between the look and the drop, which then fails: what counts is whether it is there. */
int own_slot_drop(Database *database, const char *name, const char *plugin, int limit_ms, Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (;; clock_pause_ms(LOOK_AGAIN_MS)) {
        OwnSlot slot;
        Error failure;
        if ((end_user(database, name, plugin, error) != 0 ||
             own_slot_drop_idle(database, name, plugin, error) != 0) &&
            PQstatus(database_connection(database)) != CONNECTION_OK) {
            return -1;
        }
        if (own_slot_look(database, name, plugin, &slot, &failure) != 0) {
            *error = failure;
            return -1;
        }
        if (!slot.exists) {
            *error = (Error){.code = ERROR_NONE};
            return 0;
        }
        if (clock_ms() > deadline) {
            return error_set(error, ERROR_LIMIT, "slot %s could not be dropped within %.1f s%s%s", name,
                             limit_ms / 1000.0, slot.active ? ": it is in use by " : "", slot.user);
        }
    }
}
