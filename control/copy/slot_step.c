/*
 * The first step and the third: the slot from which the stream will start, and the list of tables.
 *
 * The permanent slot is made before anything is copied. Its position is recorded together with the
 * migration's row; a crash between the two leaves a slot whose position nobody knows. The journal's entry
 * slot-create, written when no such slot was there, says that it is ours: it is dropped and made again.
 */
#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "ddl_step.h"
#include "own_slot.h"
#include "plan.h"
#include "queue.h"
#include "reverse.h"
#include "session.h"
#include "slot.h"
#include "tables.h"
#include "teller.h"
#include "text.h"

/* Sees to it that no slot of the migration's name is there. */
static int clear_slot(Copy *copy, const char *name, Error *error)
{
    char event[16];
    OwnSlot slot;
    if (own_slot_refuse_foreign(copy->source, name, PLUGIN_THERE, error) != 0 ||
        queue_step_event(copy->target, copy->settings->migration, "slot-create", event, error) != 0 ||
        own_slot_look(copy->source, name, PLUGIN_THERE, &slot, error) != 0) {
        return -1;
    }
    if (!slot.exists) {
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
    return own_slot_drop(copy->source, name, PLUGIN_THERE, copy->options->slot_timeout * 1000, error);
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

int copy_check_slot(Copy *copy, Error *error)
{
    OwnSlot slot;
    if (copy->migration.slot_lsn == LSN_INVALID) {
        return 0;
    }
    if (own_slot_look(copy->source, copy->migration.slot_name, PLUGIN_THERE, &slot, error) != 0) {
        return -1;
    }
    if (!slot.exists || slot.lost) {
        error_set(
            error, ERROR_STATE,
            "replication slot %s is gone from the source: changes since the beginning of the copy are lost",
            copy->migration.slot_name);
        return error_hint(error, "start over: penstock finish, empty the target, penstock copy");
    }
    return 0;
}

/* The source's next transaction, read when the slot is there: see snapshots.c. */
static int note_first_xid(Copy *copy, Error *error)
{
    char *next = NULL;
    if (database_value(copy->source, &next, error,
                       "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())", 0) != 0) {
        return -1;
    }
    int status = database_execute(copy->target, error,
                                  "UPDATE penstock.migration SET first_xid = $2::int8"
                                  " WHERE name = $1 AND first_xid IS NULL",
                                  2, copy->migration.name, next);
    free(next);
    return status;
}

/* The migration and what it moves: nobody finds the one without the other. */
static int record(Copy *copy, Error *error)
{
    Error ignored;
    if (database_execute(copy->target, error, "BEGIN", 0) != 0) {
        return -1;
    }
    if (state_insert(copy->target, &copy->migration, error) != 0 ||
        selection_save(copy->target, copy->migration.name, &copy->selection, error) != 0) {
        (void)!database_execute(copy->target, &ignored, "ROLLBACK", 0);
        return -1;
    }
    return database_execute(copy->target, error, "COMMIT", 0);
}

int copy_step_slot(Copy *copy, bool repeated, Error *error)
{
    Migration *migration = &copy->migration;
    Slot slot = {0};
    (void)repeated;
    if (migration->slot_lsn != LSN_INVALID) {
        return ddl_note_key(copy, error) == 0 ? note_first_xid(copy, error) : -1;
    }
    if (reverse_slot_is_free(copy->target, migration, error) != 0 ||
        clear_slot(copy, migration->slot_name, error) != 0 ||
        state_journal(copy->target, migration->name, "copy", "slot-create", "begin", NULL, error) != 0 ||
        ddl_install(copy, error) != 0 || make_slot(copy, &slot, error) != 0) {
        return -1;
    }
    migration->slot_lsn = slot.consistent_point;
    return record(copy, error) == 0 && ddl_note_key(copy, error) == 0 ? note_first_xid(copy, error) : -1;
}

static void warn_unlogged(Copy *copy, const PGresult *rows)
{
    int count = 0, first = -1;
    for (int i = 0; i < PQntuples(rows); i++) {
        if (strcmp(PQgetvalue(rows, i, TABLE_ARRAYS), "t") == 0) {
            first = first < 0 ? i : first;
            count++;
        }
    }
    if (count > 0) {
        progress_warn(copy->progress,
                      "%d unlogged table%s, the first %s.%s: rows are copied, but later changes are not in "
                      "the WAL and will not follow",
                      count, count == 1 ? "" : "s", PQgetvalue(rows, first, 0), PQgetvalue(rows, first, 1));
    }
}

/* Tables that were made at the source after its schema was read have no place on the target yet. */
static int warn_without_place(Copy *copy, const char *const arrays[TABLE_ARRAYS], Error *error)
{
    char *tables = NULL;
    if (queue_without_place(copy->target, copy->settings->migration, arrays, &tables, error) != 0) {
        return -1;
    }
    if (tables != NULL) {
        progress_warn(copy->progress,
                      "made at the source since the copy began, and not part of it: %.600s. Make them on the "
                      "target as they are at the source, and run penstock copy again when this one is done",
                      tables);
    }
    free(tables);
    return 0;
}

/* The tables of the source as session sees them, into the list of the migration's. */
static int list_tables(Copy *copy, Database *session, Error *error)
{
    PGresult *rows = NULL;
    Text arrays[TABLE_ARRAYS];
    if (left_behind_renew(copy->source, copy->target, copy->settings->migration, error) != 0 ||
        tables_of_source(session, &rows, error) != 0) {
        return -1;
    }
    tables_arrays(rows, arrays);
    warn_unlogged(copy, rows);
    PQclear(rows);
    const char *const parameters[TABLE_ARRAYS] = {arrays[0].data, arrays[1].data, arrays[2].data,
                                                  arrays[3].data, arrays[4].data};
    /*
     * What is copied again has been made on the target by then: without it, the error says so. Where DDL is captured, the list is
     * made before the tables, and those that come later come with the stream.
     */
    bool only_with_place = !copy->again && !copy_captures(copy);
    int status = only_with_place ? warn_without_place(copy, parameters, error) : 0;
    if (status == 0) {
        status = queue_fill(copy->target, copy->settings->migration, parameters, only_with_place, error);
    }
    if (status == 0) {
        status = queue_leave_dropped(copy->target, copy->settings->migration, parameters, error);
    }
    tables_arrays_free(arrays);
    return status;
}

int copy_list_dumped(Copy *copy, Database *session, Error *error)
{
    return database_execute(copy->target, error, "DELETE FROM penstock.relation WHERE migration = $1", 1,
                            copy->settings->migration) == 0
               ? list_tables(copy, session, error)
               : -1;
}

/* Where DDL is captured, the list was made with the dump, and the stream keeps it. */
int copy_step_plan(Copy *copy, bool repeated, Error *error)
{
    (void)repeated;
    if (!copy_captures(copy) && list_tables(copy, copy->source, error) != 0) {
        return -1;
    }
    Text from = {0}, to = {0};
    tablespaces_arrays(&copy->options->tablespaces, &from, &to);
    const PlanOptions options = {.part_mb = copy->options->part_mb,
                                 .with_tablespaces = !copy->options->schema.no_tablespaces,
                                 .tablespaces_from = from.data,
                                 .tablespaces_to = to.data};
    Database *session = copy->holder != NULL ? copy->holder : copy->source;
    int status = plan_write(session, copy->target, copy->settings->migration, &options, error);
    if (status == 0) {
        status = teller_weigh(copy, error);
    }
    text_free(&from);
    text_free(&to);
    ddl_let_go(copy);
    return status;
}
