/*
 * The first step and the third: the slot from which the stream will start, and the list of tables.
 *
 * The permanent slot is made before anything is copied. Its position is recorded together with the
 * migration's row; a crash between the two leaves a slot whose position nobody knows. The journal's entry
 * slot-create, written when no such slot was there, says that it is ours: it is dropped and made again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "queue.h"
#include "session.h"
#include "slot.h"
#include "text.h"

/* Sees to it that no slot of the migration's name is there. */
static int clear_slot(Copy *copy, const char *name, Error *error)
{
    char event[16];
    bool exists = false;
    if (queue_step_event(copy->target, copy->settings->migration, "slot-create", event, error) != 0 ||
        slot_exists(copy->source, name, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return 0;
    }
    if (event[0] == '\0') {
        error_set(error, ERROR_STATE, "the source has a replication slot %s that this migration did not make",
                  name);
        return error_hint(
            error,
            "if another migration uses it, name this one differently with --migration; if not, drop it:"
            " SELECT pg_drop_replication_slot('%s')",
            name);
    }
    return slot_drop(copy->source, name, copy->options->slot_timeout, error);
}

static int make_slot(Copy *copy, Slot *slot, Error *error)
{
    Database *replication = NULL;
    SlotRequest request = {.name = copy->migration.slot_name,
                           .timeout_seconds = copy->options->slot_timeout,
                           .progress = copy->progress};
    if (session_open_replication(copy->settings->source, "copy slot", &replication, error) != 0) {
        return -1;
    }
    int status = slot_create(replication, copy->source, &request, slot, error);
    database_close(replication);
    return status;
}

static int check_slot_kept(Copy *copy, Error *error)
{
    bool exists = false;
    if (slot_exists(copy->source, copy->migration.slot_name, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE,
                  "replication slot %s is gone from the source: changes since %s are lost",
                  copy->migration.slot_name, "the beginning of the copy");
        return error_hint(error, "start over: penstock finish, empty the target, penstock copy");
    }
    return 0;
}

int copy_step_slot(Copy *copy, bool repeated, Error *error)
{
    Migration *migration = &copy->migration;
    Slot slot = {0};
    (void)repeated;
    if (migration->slot_lsn != LSN_INVALID) {
        return check_slot_kept(copy, error);
    }
    if (clear_slot(copy, migration->slot_name, error) != 0 ||
        state_journal(copy->target, migration->name, "copy", "slot-create", "begin", NULL, error) != 0 ||
        make_slot(copy, &slot, error) != 0) {
        return -1;
    }
    migration->slot_lsn = slot.consistent_point;
    return state_insert(copy->target, migration, error);
}

/*
 * Ordinary tables and leaf partitions, inheritance parents and children; of extensions' tables those that the
 * extension marks as holding the user's data.
 */
static const char tables_sql[] =
    "SELECT n.nspname, c.relname, c.oid, pg_catalog.pg_table_size(c.oid), c.relpersistence = 'u'"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "       AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'"
    "  LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"
    " WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('penstock', "
    "'information_schema')"
    "   AND n.nspname NOT LIKE 'pg\\_%' AND (e.oid IS NULL OR c.oid = ANY (e.extconfig))"
    " ORDER BY 1, 2";

static void warn_unlogged(Copy *copy, const PGresult *rows)
{
    int count = 0, first = -1;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (strcmp(PQgetvalue(rows, i, 4), "t") == 0) {
            first = first < 0 ? i : first;
            count++;
        }
    }
    if (count > 0) {
        progress_warn(copy->progress,
                      "%d unlogged table(s), the first %s.%s: rows are copied, but later changes are not in "
                      "the WAL and will not follow",
                      count, PQgetvalue(rows, first, 0), PQgetvalue(rows, first, 1));
    }
}

int copy_step_plan(Copy *copy, bool repeated, Error *error)
{
    PGresult *rows = NULL;
    (void)repeated;
    if (database_query(copy->source, &rows, error, tables_sql, 0) != 0) {
        return error_context(error, "listing tables");
    }
    Text arrays[4] = {{0}, {0}, {0}, {0}};
    for (int column = 0; column < 4; column++) {
        for (int i = 0; i < PQntuples(rows); i++) {
            text_array_add(&arrays[column], PQgetvalue(rows, i, column));
        }
        text_array_end(&arrays[column]);
    }
    warn_unlogged(copy, rows);
    PQclear(rows);
    const char *const parameters[4] = {arrays[0].data, arrays[1].data, arrays[2].data, arrays[3].data};
    int status = queue_fill(copy->target, copy->settings->migration, parameters, error);
    for (int column = 0; column < 4; column++) {
        text_free(&arrays[column]);
    }
    return status;
}
