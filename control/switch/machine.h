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
 *     UNTOUCHED ──begin──► BEGUN ──done──► COMPLETE          failed leaves it BEGUN, or leads back there: half done
 *         ▲                 ▲ │                │
 *         │               begin undoing     undoing          undone leads back from each of the three: what has
 *         │                 │ ▼                ▼             nothing to undo goes there at once
 *         └────undone─── RETREATING ◄──────────┘
 *
 * On the way back clients come first. An undo is either safety (clients go on, the side that they are on is open) or cleanup
 * (what was made is taken away): all of safety is undone, in reverse, before any cleanup. One that fails is tried again with
 * fresh connections; one that fails for good holds up none of the others, but for this: while the undo of a step that `opens` is
 * tried again (a server that has crashed is back soon), the step that `lets_go` keeps the clients; after that they go on, whatever
 * they meet. Of many things that a step does at once, as proxies that it led elsewhere, which may be let go is the step's to know.
 *
 * Past the point of no return one way back is left: when a step that `proves` fails, the committing step may `retract`,
 * which closes the side that clients were let to and shows that nobody has written there. Then all is undone as before it.
 *
 * The machine knows nothing of databases: the journal, the screen and the connections are given to it. What a run that was
 * killed had done comes in as records, and the same machine carries on or goes back from there.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "error.h"

/* Whom a step or its undo talks to, as a set. */
enum { NEEDS_SOURCE = 1, NEEDS_TARGET = 2, NEEDS_PROXY = 4 };

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
    /* What an operator would do in place of an undo that failed: the statement to run. May be NULL. */
    void (*advise)(void *context, const json_t *detail, char *out, size_t size);
    /* Of a step that commits: makes sure that nobody has written on the side that clients were let to, and nobody can. An
     * error, with all as it was, when somebody has. May be NULL. */
    int (*retract)(void *context, const json_t *detail, Error *error);
    unsigned needs;      /* of perform */
    unsigned undo_needs; /* of undo */
    bool comes_first;    /* its undo is cleanup that has to come before clients go on, if it can be */
    bool safety;         /* its undo lets clients go on; otherwise it is cleanup */
    bool lets_go;        /* its undo lets clients go */
    bool
        opens; /* its undo opens the side that they go on at: as long as that is tried again, nobody is let go */
    bool proves;          /* its failure behind the point of no return makes the step that commits retract */
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
    bool failed;    /* it failed, and was not done since */
    bool untried;   /* its begin may stand in the journal, which failed to say so; nothing was done */
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
    /*
     * Before a perform or an undo: sees that whom it needs can be talked to, and sets the limits of what it does; with fresh,
     * over new connections. May be NULL.
     */
    int (*reach)(void *context, const Step *step, bool undoes, bool fresh, Error *error);
    /*
     * Asked before anything is undone: false, and error says why, when somebody else has carried on with this round, and
     * nothing may be done about it any more. May be NULL.
     */
    bool (*ours)(void *context, Error *error);
    /* How long safety that could not be undone is tried again, over and over: a server that has crashed is back in seconds. */
    int again_ms;
} MachineHooks;

typedef enum MachineResult {
    MACHINE_DONE,
    MACHINE_UNDONE, /* a step failed and everything is as before; error says why */
    MACHINE_LEFT,   /* the same, and clients go on; but some cleanup is left, which error names */
    MACHINE_STUCK, /* some safety could not be undone, or a step failed after the point of no return; error says
                       what */
    MACHINE_TAKEN, /* somebody else has carried on with it: nothing was undone; error says so */
} MachineResult;

/* Moves *state by event. False, and nothing moved, when that event cannot happen in that state. */
bool step_move(StepState *state, StepEvent event) MUST_CHECK;

/*
 * Performs the steps in order, from the first on that records does not show as complete. records has one entry per step and
 * is kept up to date.
 */
MachineResult machine_run(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                          Error *error);

/*
 * Undoes every step that began: safety, then cleanup, each in reverse. What could not be undone is still to be undone; error
 * says why, and its hint what an operator may do instead.
 */
MachineResult machine_undo(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                           Error *error);

/* Takes the point of no return back, when the step that commits can retract. An error leaves all as it is. */
int machine_retract(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                    Error *error) MUST_CHECK;

/* True when some step began and was not undone. */
bool machine_has_begun(const StepRecord *records, size_t count);

/* True when a step that commits began, and was not taken back. */
bool machine_has_committed(const Step *steps, const StepRecord *records, size_t count);

const char *step_event_name(StepEvent event);
void step_records_free(StepRecord *records, size_t count);
