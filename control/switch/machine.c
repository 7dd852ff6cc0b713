/*
 * What undo needs is written with `begin`, before anything is done, and read back from there for ever after:
 * a step that is begun a second time keeps the detail of the first, since what it would measure now is its
 * own half-done work.
 *
 * `undoing` is written before an undo for the same reason that `begin` is before a perform: a run that is
 * killed in between must not look complete to the one that carries on.
 *
 * A journal that cannot be written stops the way forward like any other failure. On the way back it does not:
 * clients may be waiting, and undoing twice is harmless.
 */
#include "machine.h"

#include <string.h>

#include "clock.h"

/* No move: that event cannot happen there. */
#define NEVER STEP_STATES

static const StepState moves[STEP_STATES][STEP_EVENTS] = {
    [STEP_UNTOUCHED] = {STEP_BEGUN, NEVER, NEVER, NEVER, NEVER},
    [STEP_BEGUN] = {STEP_BEGUN, STEP_COMPLETE, STEP_BEGUN, STEP_RETREATING, STEP_UNTOUCHED},
    [STEP_COMPLETE] = {STEP_BEGUN, NEVER, NEVER, STEP_RETREATING, STEP_UNTOUCHED},
    [STEP_RETREATING] = {STEP_BEGUN, NEVER, NEVER, STEP_RETREATING, STEP_UNTOUCHED},
};

bool step_move(StepState *state, StepEvent event)
{
    StepState next = moves[*state][event];
    if (next == NEVER) {
        return false;
    }
    *state = next;
    return true;
}

const char *step_event_name(StepEvent event)
{
    static const char *const names[STEP_EVENTS] = {[STEP_BEGIN] = "begin",
                                                   [STEP_DONE] = "done",
                                                   [STEP_FAILED] = "failed",
                                                   [STEP_UNDOING] = "undoing",
                                                   [STEP_UNDONE] = "undone"};
    return names[event];
}

void step_records_free(StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(records[i].detail);
        records[i] = (StepRecord){.state = STEP_UNTOUCHED};
    }
}

bool machine_has_begun(const StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].state != STEP_UNTOUCHED) {
            return true;
        }
    }
    return false;
}

bool machine_has_committed(const Step *steps, const StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].commits && records[i].state != STEP_UNTOUCHED) {
            return true;
        }
    }
    return false;
}

/* Journals the event, then makes the move. */
static int move(const Step *step, StepRecord *record, StepEvent event, const MachineHooks *hooks,
                Error *error)
{
    StepState next = record->state;
    if (!step_move(&next, event)) {
        return error_set(error, ERROR_STATE, "\"%s\" cannot follow on what the journal says of step %s",
                         step_event_name(event), step->name);
    }
    const json_t *detail = event == STEP_UNDOING || event == STEP_UNDONE ? NULL : record->detail;
    if (hooks->journal(hooks->context, step, event, detail, error) != 0) {
        return error_context(error, "journal");
    }
    record->state = next;
    return 0;
}

static int begin(const Step *step, StepRecord *record, const MachineHooks *hooks, Error *error)
{
    if (record->detail == NULL || record->state == STEP_UNTOUCHED) {
        json_decref(record->detail);
        record->detail = json_object();
        if (step->prepare != NULL && step->prepare(hooks->context, record->detail, error) != 0) {
            return -1;
        }
    }
    return move(step, record, STEP_BEGIN, hooks, error);
}

static int perform(const Step *step, StepRecord *record, const MachineHooks *hooks, Error *error)
{
    double started = clock_seconds();
    if (hooks->stop(hooks->context)) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted before %s", step->name);
    }
    hooks->tell(hooks->context, step, STEP_BEGIN, 0, NULL);
    int status = begin(step, record, hooks, error);
    if (status == 0) {
        status = step->perform(hooks->context, record->detail, error);
    }
    if (status == 0) {
        status = move(step, record, STEP_DONE, hooks, error);
    }
    if (status == 0) {
        hooks->tell(hooks->context, step, STEP_DONE, clock_seconds() - started, NULL);
        return 0;
    }
    hooks->tell(hooks->context, step, STEP_FAILED, clock_seconds() - started, error);
    error_context(error, "%s", step->name);
    Error ignored;
    if (record->state == STEP_BEGUN && move(step, record, STEP_FAILED, hooks, &ignored) != 0) {
        return -1; /* begin stands in the journal, which asks for the same undo */
    }
    return -1;
}

/* *unwritten: it is undone, but the journal does not know. */
static int retreat(const Step *step, StepRecord *record, const MachineHooks *hooks, Error *unwritten,
                   Error *error)
{
    double started = clock_seconds();
    if (step->undo != NULL) {
        Error ignored;
        move(step, record, STEP_UNDOING, hooks, &ignored);
        int status = step->undo(hooks->context, record->detail, error);
        if (status != 0) {
            error_context(error, "undoing %s", step->name);
        }
        hooks->tell(hooks->context, step, STEP_UNDONE, clock_seconds() - started, status != 0 ? error : NULL);
        if (status != 0) {
            return -1;
        }
    }
    Error failure;
    if (move(step, record, STEP_UNDONE, hooks, &failure) != 0) {
        *unwritten = failure;
    }
    return 0;
}

MachineResult machine_undo(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                           Error *error)
{
    Error unwritten = {.code = ERROR_NONE};
    for (size_t i = count; i-- > 0;) {
        Error failure = {.code = ERROR_NONE};
        if (records[i].state != STEP_UNTOUCHED &&
            retreat(&steps[i], &records[i], hooks, &unwritten, &failure) != 0) {
            *error = failure;
            return MACHINE_STUCK;
        }
    }
    if (unwritten.code != ERROR_NONE) {
        *error = unwritten;
        return MACHINE_STUCK;
    }
    return MACHINE_UNDONE;
}

MachineResult machine_run(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                          Error *error)
{
    bool committed = machine_has_committed(steps, records, count);
    for (size_t i = 0; i < count; i++) {
        if (records[i].state == STEP_COMPLETE && (!steps[i].volatile_result || committed)) {
            continue;
        }
        if (perform(&steps[i], &records[i], hooks, error) == 0) {
            continue;
        }
        if (machine_has_committed(steps, records, count)) {
            return MACHINE_STUCK;
        }
        Error failure;
        if (machine_undo(steps, count, records, hooks, &failure) == MACHINE_UNDONE) {
            return MACHINE_UNDONE;
        }
        error_context(&failure, "after \"%.200s\"", error->message);
        *error = failure;
        return MACHINE_STUCK;
    }
    return MACHINE_DONE;
}
