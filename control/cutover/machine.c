/*
 * What undo needs is written with `begin`, before anything is done, and read back from there for ever after:
 * a step that is begun a second time keeps the detail of the first, since what it would measure now is its
 * own half-done work.
 *
 * A journal that cannot be written stops the way forward like any other failure. On the way back it does not:
 * clients may be waiting, and undoing twice is harmless.
 */
#include "machine.h"

#include <string.h>
#include <time.h>

const char *step_event_name(StepEvent event)
{
    static const char *const names[] = {
        [STEP_BEGIN] = "begin", [STEP_DONE] = "done", [STEP_FAILED] = "failed", [STEP_UNDONE] = "undone"};
    return names[event];
}

void step_records_free(StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_decref(records[i].detail);
        records[i] = (StepRecord){.event = STEP_UNDONE};
    }
}

bool machine_has_begun(const StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (records[i].event != STEP_UNDONE) {
            return true;
        }
    }
    return false;
}

bool machine_has_committed(const Step *steps, const StepRecord *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i].commits && records[i].event != STEP_UNDONE) {
            return true;
        }
    }
    return false;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int begin(const Step *step, StepRecord *record, const MachineHooks *hooks, Error *error)
{
    if (record->detail == NULL || record->event == STEP_UNDONE) {
        json_decref(record->detail);
        record->detail = json_object();
        if (step->prepare != NULL && step->prepare(hooks->context, record->detail, error) != 0) {
            return -1;
        }
    }
    if (hooks->journal(hooks->context, step, STEP_BEGIN, record->detail, error) != 0) {
        return error_context(error, "journal");
    }
    record->event = STEP_BEGIN;
    return 0;
}

static int perform(const Step *step, StepRecord *record, const MachineHooks *hooks, Error *error)
{
    double started = seconds();
    if (hooks->stop(hooks->context)) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted before %s", step->name);
    }
    hooks->tell(hooks->context, step, STEP_BEGIN, 0, NULL);
    int status = begin(step, record, hooks, error);
    if (status == 0) {
        status = step->perform(hooks->context, record->detail, error);
    }
    if (status == 0) {
        status = hooks->journal(hooks->context, step, STEP_DONE, record->detail, error);
    }
    if (status == 0) {
        record->event = STEP_DONE;
        hooks->tell(hooks->context, step, STEP_DONE, seconds() - started, NULL);
        return 0;
    }
    hooks->tell(hooks->context, step, STEP_FAILED, seconds() - started, error);
    error_context(error, "%s", step->name);
    if (record->event != STEP_UNDONE) {
        Error ignored;
        record->event = STEP_FAILED;
        if (hooks->journal(hooks->context, step, STEP_FAILED, record->detail, &ignored) != 0) {
            return -1; /* begin stands in the journal, which asks for the same undo */
        }
    }
    return -1;
}

MachineResult machine_undo(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                           Error *error)
{
    MachineResult result = MACHINE_UNDONE;
    for (size_t i = count; i-- > 0;) {
        const Step *step = &steps[i];
        if (records[i].event == STEP_UNDONE) {
            continue;
        }
        double started = seconds();
        Error failure = {0};
        int status = step->undo == NULL ? 0 : step->undo(hooks->context, records[i].detail, &failure);
        if (status != 0) {
            error_context(&failure, "undoing %s", step->name);
            hooks->tell(hooks->context, step, STEP_UNDONE, seconds() - started, &failure);
            *error = failure;
            return MACHINE_STUCK;
        }
        if (step->undo != NULL) {
            hooks->tell(hooks->context, step, STEP_UNDONE, seconds() - started, NULL);
        }
        if (hooks->journal(hooks->context, step, STEP_UNDONE, NULL, &failure) != 0) {
            *error = failure;
            result = MACHINE_STUCK;
            continue;
        }
        records[i].event = STEP_UNDONE;
    }
    return result;
}

MachineResult machine_run(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                          Error *error)
{
    bool committed = machine_has_committed(steps, records, count);
    for (size_t i = 0; i < count; i++) {
        if (records[i].event == STEP_DONE && (!steps[i].volatile_result || committed)) {
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
