/*
 * A machine of steps that can be undone: each is journaled before it is done, and when one fails those before
 * it are undone in reverse.
 *
 *     perform:  begin → (prepare, begin is journaled with what undo needs) → perform → done
 *     a step fails, or the operator stops it:  failed → undoing, undo, undone: of it and of every one before
 *     from the begin of a step that commits, nothing is undone any more: the only way is forward.
 *
 * Where a step stands is one state, and step_move alone changes it:
 *
 *     UNTOUCHED ──begin──► BEGUN ──done──► COMPLETE          failed leaves it BEGUN: half done
 *         ▲                 ▲ │                │
 *         │               begin undoing     undoing          undone leads back from each of the three: what has
 *         │                 │ ▼                ▼             nothing to undo goes there at once
 *         └────undone─── RETREATING ◄──────────┘
 *
 * The machine knows nothing of databases: the journal and the screen are given to it. What a run that was
 * killed had done comes in as records, and the same machine carries on or goes back from there.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

typedef struct Step {
    const char *name;
    const char *text; /* what it does, for people */
    /* Fills detail with what undo will need; runs before the step is journaled and must change nothing. May
     * be NULL. */
    int (*prepare)(void *context, json_t *detail, Error *error);
    /* Safe to repeat. May add to detail what is worth keeping. */
    int (*perform)(void *context, json_t *detail, Error *error);
    /* Safe to repeat, and after a perform that got only half way. NULL: there is nothing to undo. */
    int (*undo)(void *context, const json_t *detail, Error *error);
    bool volatile_result; /* what it made dies with the process: done again on the way forward */
    bool commits;         /* the point of no return */
    int limit;            /* for whoever made the table: the machine does not look at it */
} Step;

typedef enum StepEvent {
    STEP_BEGIN,
    STEP_DONE,
    STEP_FAILED,
    STEP_UNDOING,
    STEP_UNDONE,
    STEP_EVENTS
} StepEvent;

typedef enum StepState { STEP_UNTOUCHED, STEP_BEGUN, STEP_COMPLETE, STEP_RETREATING, STEP_STATES } StepState;

/* Where a step stands; detail is that of the begin that left UNTOUCHED. Zeroed: it never began. */
typedef struct StepRecord {
    StepState state;
    json_t *detail; /* owned, or NULL */
} StepRecord;

typedef struct MachineHooks {
    void *context; /* for the steps and for the hooks */
    /* Keeps one event durably. */
    int (*journal)(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error);
    /* Tells the operator of a begin, a done, a failure or an undone; elapsed is in seconds. error is set for
     * STEP_FAILED, and for STEP_UNDONE when undoing failed. */
    void (*tell)(void *context, const Step *step, StepEvent event, double elapsed, const Error *error);
    /* True when the operator wants to stop. */
    bool (*stop)(void *context);
} MachineHooks;

typedef enum MachineResult {
    MACHINE_DONE,
    MACHINE_UNDONE, /* a step failed and everything is as before; error says why */
    MACHINE_STUCK,  /* something could not be undone, or failed after the point of no return; error says what
                     */
} MachineResult;

/* Moves *state by event. False, and nothing moved, when that event cannot happen in that state. */
bool step_move(StepState *state, StepEvent event) MUST_CHECK;

/*
 * Performs the steps that records does not show as complete, in order. records has one entry per step and is
 * kept up to date.
 */
MachineResult machine_run(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                          Error *error);

/* Undoes, in reverse, every step that began. An error ends it: what is left is still to be undone. */
MachineResult machine_undo(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                           Error *error);

/* True when some step began and was not undone. */
bool machine_has_begun(const StepRecord *records, size_t count);

/* True when a step that commits began. */
bool machine_has_committed(const Step *steps, const StepRecord *records, size_t count);

const char *step_event_name(StepEvent event);
void step_records_free(StepRecord *records, size_t count);
