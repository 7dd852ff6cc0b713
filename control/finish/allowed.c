/*
 * May this migration be ended now? Nobody else may work on it: the applier's lock is taken, too, and kept until this process
 * ends.
 */
#include "finish.h"

static int keep_applier_out(Database *target, const Migration *migration, Error *error)
{
    if (state_lock(target, migration->name, "applier", error) != 0) {
        return error_hint(error, "Stop the applier (Ctrl-C or SIGTERM), then run this again.");
    }
    return 0;
}

static int refuse_open(Database *target, const Migration *migration, const char *operation,
                       const char *last_step, Error *error)
{
    bool open;
    if (state_operation_open(target, migration->name, operation, last_step, &open, error) != 0) {
        return -1;
    }
    if (!open) {
        return 0;
    }
    error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", operation,
              migration->name);
    return error_hint(error, "Run `penstock %s --resume` or `penstock %s --undo` first.", operation,
                      operation);
}

int finish_allowed(Database *target, const Migration *migration, const FinishOptions *options, Error *error)
{
    if (keep_applier_out(target, migration, error) != 0) {
        return -1;
    }
    if (migration->phase < PHASE_SWITCHED && !options->abandon) {
        error_set(error, ERROR_STATE,
                  "migration \"%s\" is in phase %s: the applications still use the source", migration->name,
                  state_phase_name(migration->phase));
        return error_hint(error, "Switch them with `penstock cutover` first, or give the migration up with "
                                 "`penstock finish --abandon`.");
    }
    return refuse_open(target, migration, "cutover", "switched", error) == 0
               ? refuse_open(target, migration, "rollback", "back", error)
               : -1;
}
