/*
 * The steps of `penstock finish`, each of which finds out for itself whether it still has anything to do.
 */
#pragma once

#include "command.h"
#include "database.h"
#include "state.h"

typedef struct FinishOptions {
    bool abandon;
    bool keep_journal;
    bool skip_source;
    int wait_seconds; /* for a slot that is in use */
} FinishOptions;

/* Wants the control lock. ERROR_STATE when this migration may not be ended now: not switched, a cutover half done, a process running. */
int finish_allowed(Database *target, const Migration *migration, const FinishOptions *options,
                   Error *error) MUST_CHECK;

/*
 * Drops the migration's slot, *dropped says whether there was one. Waits while the slot is in use, up to the limit;
 * then ERROR_LIMIT names who uses it. ERROR_STATE when this is not the server that the migration came from.
 */
int finish_slot(Database *source, const Migration *migration, int wait_seconds, bool *dropped,
                Error *error) MUST_CHECK;
