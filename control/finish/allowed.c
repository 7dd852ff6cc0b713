/*
 * May this migration be ended now? Nobody else may work on it: both locks are taken and kept until this process ends.
 */
#include "finish.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "overview.h"

static int take_locks(Database *target, const Migration *migration, Error *error)
{
    if (state_lock(target, migration->name, "control", error) != 0) {
        return -1;
    }
    if (state_lock(target, migration->name, "applier", error) != 0) {
        return error_hint(error, "Stop the applier (Ctrl-C or SIGTERM), then run this again.");
    }
    return 0;
}

/* True in *open when a cutover has fenced the source and neither ended nor undone that. */
static int cutover_is_open(Database *target, const Migration *migration, bool *open, Error *error)
{
    char *text = NULL;
    *open = false;
    if (state_overview(target, migration->name, &text, error) != 0) {
        return -1;
    }
    json_t *state = text != NULL ? json_loads(text, 0, NULL) : NULL;
    const char *event = json_string_value(json_object_get(json_object_get(state, "fence"), "event"));
    *open = event != NULL && strcmp(event, "undone") != 0;
    json_decref(state);
    free(text);
    return 0;
}

/* Keeps whether a rollback stands between its first step and its last. */
static void take_rollback(void *context, const char *step, const char *event, const char *detail)
{
    bool *open = context;
    (void)detail;
    if (strcmp(step, "hold") == 0) {
        *open = strcmp(event, "undone") != 0;
    }
}

static int check_rollback(Database *target, const Migration *migration, Error *error)
{
    bool open = false;
    if (migration->phase != PHASE_SWITCHED) {
        return 0;
    }
    if (state_read_journal(target, migration->name, "rollback", take_rollback, &open, error) != 0) {
        return -1;
    }
    if (open) {
        error_set(error, ERROR_STATE, "a rollback of migration \"%s\" was begun and not ended",
                  migration->name);
        return error_hint(error, "Run `penstock rollback --resume` or `penstock rollback --undo` first.");
    }
    return 0;
}

int finish_allowed(Database *target, const Migration *migration, const FinishOptions *options, Error *error)
{
    bool open = false;
    bool over = migration->phase >= PHASE_SWITCHED;
    if (take_locks(target, migration, error) != 0) {
        return -1;
    }
    if (over) {
        return check_rollback(target, migration, error);
    }
    if (!options->abandon) {
        error_set(error, ERROR_STATE,
                  "migration \"%s\" is in phase %s: the applications still use the source", migration->name,
                  state_phase_name(migration->phase));
        return error_hint(error, "Switch them with `penstock cutover` first, or give the migration up with "
                                 "`penstock finish --abandon`.");
    }
    if (cutover_is_open(target, migration, &open, error) != 0) {
        return -1;
    }
    if (open) {
        error_set(error, ERROR_STATE,
                  "a cutover of migration \"%s\" was cut short and the source may be fenced",
                  migration->name);
        return error_hint(error, "Run `penstock cutover --undo` first.");
    }
    return 0;
}
