/*
 * The steps of `penstock finish`, each of which finds out for itself whether it still has anything to do.
 */
#pragma once

#include <stdio.h>

#include "command.h"
#include "database.h"
#include "fence.h"
#include "state.h"

typedef struct FinishOptions {
    bool abandon;
    bool keep_journal;
    bool skip_source;
    bool yes;
    bool no_report;
    const char *report; /* where it is written; NULL: in the working folder, under the migration's name */
    int wait_seconds;   /* for a slot that is in use */
} FinishOptions;

/*
 * Wants the control lock. ERROR_STATE when this migration may not be ended now: not switched, a cutover half done, a process
 * running.
 */
int finish_allowed(Database *target, const Migration *migration, const FinishOptions *options,
                   Error *error) MUST_CHECK;

/*
 * Drops the migration's slot, *dropped says whether there was one. Waits while the slot is in use, up to the limit;
 * then ERROR_LIMIT names who uses it. ERROR_STATE when this is not the server that the migration came from.
 */
int finish_slot(Database *source, const Migration *migration, int wait_seconds, bool *dropped,
                Error *error) MUST_CHECK;

/* The fence of one side. */
typedef struct FinishFence {
    bool stands;
    bool known;  /* what was before is in the journal */
    bool marked; /* by finish_mark_fence */
    FenceBefore before;
} FinishFence;

/* What was before the fence that operation ("cutover": of the source, "rollback": of the target) raised last. */
int finish_read_fence(Database *target, const Migration *migration, const char *operation, FinishFence *out,
                      Error *error) MUST_CHECK;

/* Whether a fence stands on the database of this connection. */
int finish_look_at_fence(Database *database, FinishFence *fence, Error *error) MUST_CHECK;

/* Notes on the database of this connection, whose fence stays, that the migration is finished, and when: status says it then. */
int finish_mark_fence(Database *database, const Migration *migration, FinishFence *fence,
                      Error *error) MUST_CHECK;

/* For people: how to lift it. side: source or target. */
void finish_print_fence(FILE *out, const char *side, const char *database, const FinishFence *fence);
