/*
 * Made before clients are held, since that waits for every transaction that writes on the target, under a name of ours; moved on in
 * the hold, and copied to the name that is wanted: a copy is on disk at once, where a slot that was only moved on goes back to
 * where it began when the server crashes (slotfuncs.c, 12 and later). Names that were not there when the step began are ours, and
 * an undo drops no others.
 */
#include "hand_over.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "steps.h"
#include "watched.h"

static int find_plugin(Database *database, const char *slot, char **plugin, Error *error)
{
    return database_value(database, plugin, error,
                          "SELECT plugin FROM pg_replication_slots WHERE slot_name = $1"
                          "  AND slot_type = 'logical' AND NOT temporary AND database = current_database()",
                          1, slot);
}

static int slot_exists(Database *database, const char *slot, bool *exists, Error *error)
{
    return database_found(database, exists, error, "SELECT 1 FROM pg_replication_slots WHERE slot_name = $1",
                          1, slot);
}

int hand_over_check(Cutover *cutover, Error *error)
{
    for (size_t i = 0; i < cutover->options->hand_over_count; i++) {
        const char *slot = cutover->options->hand_over[i];
        char *plugin = NULL;
        bool exists;
        if (find_plugin(cutover->source, slot, &plugin, error) != 0 ||
            slot_exists(cutover->target, slot, &exists, error) != 0) {
            free(plugin);
            return -1;
        }
        bool there = plugin != NULL;
        free(plugin);
        if (!there) {
            return error_set(error, ERROR_STATE,
                             "--hand-over-slot: the source has no logical slot \"%s\" of this database",
                             slot);
        }
        if (exists) {
            error_set(error, ERROR_STATE, "--hand-over-slot: the target has a slot \"%s\" already", slot);
            return error_hint(
                error, "Drop it there, when nobody reads it: SELECT pg_drop_replication_slot('%s')", slot);
        }
    }
    return 0;
}

int step_hand_over_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *slots = json_array();
    json_object_set_new(detail, "slots", slots);
    if (hand_over_check(cutover, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < cutover->options->hand_over_count; i++) {
        char *plugin = NULL;
        const char *slot = cutover->options->hand_over[i];
        if (find_plugin(cutover->source, slot, &plugin, error) != 0) {
            return -1;
        }
        json_array_append_new(slots,
                              json_pack("{s:s, s:s}", "name", slot, "plugin", plugin != NULL ? plugin : ""));
        free(plugin);
    }
    return 0;
}

static int drop(Database *database, const char *slot, Error *error)
{
    return database_execute(database, error,
                            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
                            " WHERE slot_name = $1 AND NOT active",
                            1, slot);
}

static void tell_blockers(void *context, const char *who)
{
    cutover_warn(context, "in the way: %s", who);
}

static void draft_name(size_t number, char out[64])
{
    snprintf(out, 64, "penstock_handed_over_%zu", number);
}

static int make(Cutover *cutover, const json_t *slot, size_t number, const WatchedWait *wait, Error *error)
{
    const char *plugin = json_string_value(json_object_get(slot, "plugin"));
    char sql[256], draft[64];
    draft_name(number, draft);
    if (drop(cutover->target, draft, error) != 0) {
        return -1;
    }
    char *quoted = PQescapeLiteral(database_connection(cutover->target), plugin, strlen(plugin));
    snprintf(sql, sizeof sql, "SELECT pg_create_logical_replication_slot('%.63s', %.130s)", draft,
             quoted != NULL ? quoted : "''");
    PQfreemem(quoted);
    return watched_run(cutover->target, sql,
                       "making a slot, which waits for transactions that write anywhere there", wait,
                       error) == 0
               ? 0
               : error_context(error, "making a slot for the consumer of %s",
                               json_string_value(json_object_get(slot, "name")));
}

int step_hand_over(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const json_t *slots = json_object_get(detail, "slots"), *slot;
    size_t i;
    WatchedWait wait = {
        .limit_ms = (int)(cutover->options->prepare_limit * 1000), .tell = tell_blockers, .context = cutover};
    if (json_array_size(slots) == 0) {
        cutover_note(cutover, "not asked for (--hand-over-slot)");
        return 0;
    }
    if (database_connect_within(cutover->settings->target, DATABASE_TARGET, "look", cutover_limits(cutover),
                                &wait.looker, error) != 0) {
        return -1;
    }
    int status = 0;
    json_array_foreach(slots, i, slot)
    {
        status = status == 0 ? make(cutover, slot, i, &wait, error) : status;
    }
    database_close(wait.looker);
    cutover_note(cutover, "%zu made", json_array_size(slots));
    return status;
}

int step_take_slots(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const json_t *slot;
    size_t i;
    int status = 0;
    json_array_foreach(json_object_get(detail, "slots"), i, slot)
    {
        char draft[64];
        Error failure;
        draft_name(i, draft);
        if (drop(cutover->target, draft, &failure) != 0 ||
            drop(cutover->target, json_string_value(json_object_get(slot, "name")), &failure) != 0) {
            *error = failure;
            status = -1;
        }
    }
    return status;
}

static const json_t *made_slots(const Cutover *cutover)
{
    const StepRecord *record = records_of(cutover->road, cutover->records, "hand over");
    return record != NULL ? json_object_get(record->detail, "slots") : NULL;
}

static int move(Database *target, const char *draft, const char *name, Error *error)
{
    return database_execute(target, error,
                            "SELECT pg_replication_slot_advance($1, pg_current_wal_flush_lsn())", 1,
                            draft) == 0 &&
                   drop(target, name, error) == 0
               ? database_execute(target, error, "SELECT pg_copy_logical_replication_slot($1, $2)", 2, draft,
                                  name)
               : -1;
}

int hand_over_move(const Cutover *cutover, Database *session, Error *error)
{
    const json_t *slot;
    size_t i;
    int status = 0;
    json_array_foreach(made_slots(cutover), i, slot)
    {
        const char *name = json_string_value(json_object_get(slot, "name"));
        char draft[64];
        draft_name(i, draft);
        if (status == 0 && move(session, draft, name, error) != 0) {
            status = error_context(error, "moving slot %s on", name);
        }
    }
    return status;
}

void hand_over_tell(Cutover *cutover)
{
    const json_t *slot;
    size_t i;
    char final[LSN_TEXT_SIZE];
    lsn_format(cutover->final_lsn, final);
    json_array_foreach(made_slots(cutover), i, slot)
    {
        const char *name = json_string_value(json_object_get(slot, "name"));
        char *at = NULL, draft[64];
        Error ignored;
        draft_name(i, draft);
        if (drop(cutover->target, draft, &ignored) != 0) {
            cutover_warn(cutover, "slot %s is not needed any more: %s", draft, ignored.message);
        }
        if (!cutover_source_answers(cutover) ||
            database_value(cutover->source, &at, &ignored,
                           "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = $1", 1,
                           name) != 0) {
            at = NULL;
        }
        cutover_warn(
            cutover,
            "slot %s: its consumer has to read the source to %s, no further (it has confirmed %s), and goes "
            "on with the "
            "slot of that name on the target. Whoever is no superuser cannot connect to the source any more",
            name, final, at != NULL ? at : "nothing that is known");
        free(at);
    }
}
