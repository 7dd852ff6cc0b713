/*
 * What undo needs is written with `begin`, before anything is done, and read back from there for ever after:
 * a step that is begun a second time keeps the detail of the first, since what it would measure now is its
 * own half-done work.
 *
 * `undoing` is written before an undo for the same reason that `begin` is before a perform: a run that is
 * killed in between must not look complete to the one that carries on.
 *
 * A run that carries on does again all that lies behind the first step that it does: what that found may have changed. It
 * must, where an undo was cut short: clients may have been let go, and have written, while later steps still look complete.
 *
 * A journal that cannot be written stops the way forward like any other failure. On the way back it does not:
 * clients may be waiting, and undoing twice is harmless. So does nothing else there: who has to be alive for one undo may be
 * dead, and the next one needs somebody else. All of them have had their turn before one is tried again later.
 */
#include "machine.h"

#include "clock.h"

/* No move: that event cannot happen there. */
#define NEVER STEP_STATES

/* How often an undo is tried, from the second time on over fresh connections. */
#define UNDO_TRIES 3

/* Between two rounds of what could not be undone. */
#define AGAIN_PAUSE_MS 250

/*
 * A line may be in the journal though the answer was lost, and whoever wrote it takes it for unwritten: so `failed` may follow on
 * `done`, and an undo on what is undone.
 */
static const StepState moves[STEP_STATES][STEP_EVENTS] = {
    [STEP_UNTOUCHED] = {STEP_BEGUN, NEVER, NEVER, STEP_RETREATING, STEP_UNTOUCHED},
    [STEP_BEGUN] = {STEP_BEGUN, STEP_COMPLETE, STEP_BEGUN, STEP_RETREATING, STEP_UNTOUCHED},
    [STEP_COMPLETE] = {STEP_BEGUN, NEVER, STEP_BEGUN, STEP_RETREATING, STEP_UNTOUCHED},
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
        if (steps[i].commits && !records[i].untried &&
            (records[i].state == STEP_BEGUN || records[i].state == STEP_COMPLETE)) {
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
        if (event == STEP_BEGIN) { /* one place of the journal may have it: it wants its undone there */
            record->untried = record->state == STEP_UNTOUCHED;
            record->state = next;
        }
        return error_context(error, "journal");
    }
    record->state = next;
    record->untried = false;
    record->failed = event == STEP_FAILED || (record->failed && event == STEP_BEGIN);
    return 0;
}

static int reach(const Step *step, bool undoes, bool fresh, const MachineHooks *hooks, Error *error)
{
    return hooks->reach != NULL ? hooks->reach(hooks->context, step, undoes, fresh, error) : 0;
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
    int status = reach(step, false, false, hooks, error);
    if (status == 0) {
        status = begin(step, record, hooks, error);
    }
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
    if (record->state == STEP_BEGUN && !record->untried &&
        move(step, record, STEP_FAILED, hooks, &ignored) != 0) {
        return -1; /* begin stands in the journal, which asks for the same undo */
    }
    return -1;
}

/* --- back --- */

/* What came of undoing: the first failure of each kind. */
typedef struct Retreat {
    bool clients_stay; /* a step that opens could not be undone, and will be tried again */
    bool again;        /* its failures have been told already */
    bool waits;        /* it will be tried again */
    Error safety, cleanup, unwritten;
} Retreat;

static void advise(const Step *step, const StepRecord *record, const MachineHooks *hooks, Error *error)
{
    char advice[sizeof error->hint] = "";
    if (step->advise != NULL) {
        step->advise(hooks->context, record->detail, advice, sizeof advice);
    }
    if (*advice != '\0') {
        error_hint(error, "By hand: %.500s", advice);
    }
}

/* Tries until it is undone, or has failed often enough. */
static int undo_step(const Step *step, const StepRecord *record, const MachineHooks *hooks, Error *error)
{
    for (int tried = 0; tried < UNDO_TRIES; tried++) {
        *error = (Error){.code = ERROR_NONE};
        if (reach(step, true, tried > 0, hooks, error) == 0 &&
            step->undo(hooks->context, record->detail, error) == 0) {
            return 0;
        }
    }
    error_context(error, "undoing %s", step->name);
    advise(step, record, hooks, error);
    return -1;
}

/* An Error is kept when it is the first. */
static void keep(Error *first, const Error *error)
{
    if (first->code == ERROR_NONE) {
        *first = *error;
    }
}

static void retreat(const Step *step, StepRecord *record, const MachineHooks *hooks, Retreat *out)
{
    double started = clock_seconds();
    Error error = {.code = ERROR_NONE};
    if (step->undo != NULL && !record->untried) {
        Error ignored;
        move(step, record, STEP_UNDOING, hooks, &ignored);
        int status = undo_step(step, record, hooks, &error);
        if (status == 0 || !out->again) {
            hooks->tell(hooks->context, step, STEP_UNDONE, clock_seconds() - started,
                        status != 0 ? &error : NULL);
        }
        if (status != 0) {
            keep(step->safety ? &out->safety : &out->cleanup, &error);
            out->clients_stay = out->clients_stay || (step->opens && out->waits);
            return;
        }
    }
    if (move(step, record, STEP_UNDONE, hooks, &error) != 0) {
        keep(&out->unwritten, &error);
    }
}

/* Undoes what began and is of that kind, in reverse. */
static void retreat_all(const Step *steps, size_t count, StepRecord *records, bool safety,
                        const MachineHooks *hooks, Retreat *out)
{
    for (size_t i = count; i-- > 0;) {
        bool due = records[i].state != STEP_UNTOUCHED && (steps[i].safety || steps[i].comes_first) == safety;
        if (due && !(steps[i].lets_go && out->clients_stay)) {
            retreat(&steps[i], &records[i], hooks, out);
        }
    }
}

static bool is_ours(const MachineHooks *hooks, Error *error)
{
    return hooks->ours == NULL || hooks->ours(hooks->context, error);
}

MachineResult machine_undo(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                           Error *error)
{
    int64_t end = clock_ms() + hooks->again_ms;
    Retreat came = {.waits = hooks->again_ms > 0};
    retreat_all(steps, count, records, true, hooks, &came);
    while (came.safety.code != ERROR_NONE && came.waits) {
        clock_pause_ms(AGAIN_PAUSE_MS);
        if (!is_ours(hooks, error)) {
            return MACHINE_TAKEN;
        }
        came = (Retreat){.again = true, .waits = clock_ms() < end};
        retreat_all(steps, count, records, true, hooks, &came);
    }
    retreat_all(steps, count, records, false, hooks, &came);
    if (came.safety.code != ERROR_NONE) {
        *error = came.safety;
        return MACHINE_STUCK;
    }
    const Error *left = came.cleanup.code != ERROR_NONE ? &came.cleanup : &came.unwritten;
    if (left->code != ERROR_NONE) {
        *error = *left;
        return MACHINE_LEFT;
    }
    return MACHINE_UNDONE;
}

/* The step that commits, when it has begun; count otherwise. */
static size_t committed_step(const Step *steps, size_t count, const StepRecord *records)
{
    size_t i = 0;
    while (i < count && !(steps[i].commits && machine_has_committed(&steps[i], &records[i], 1))) {
        i++;
    }
    return i;
}

int machine_retract(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                    Error *error)
{
    size_t i = committed_step(steps, count, records);
    if (i == count) {
        return 0;
    }
    if (steps[i].retract == NULL) {
        return error_set(error, ERROR_STATE, "%s cannot be taken back", steps[i].name);
    }
    if (reach(&steps[i], true, false, hooks, error) != 0 ||
        steps[i].retract(hooks->context, records[i].detail, error) != 0) {
        return error_context(error, "not gone back");
    }
    return move(&steps[i], &records[i], STEP_UNDOING, hooks, error);
}

/* Behind the point of no return: is there a way back all the same? What is in its way goes to error's hint. */
static bool goes_back(const Step *steps, size_t count, size_t failed, StepRecord *records,
                      const MachineHooks *hooks, Error *error)
{
    Error failure = {.code = ERROR_NONE};
    if (!steps[failed].proves || error->code == ERROR_INTERRUPTED) {
        return false;
    }
    if (machine_retract(steps, count, records, hooks, &failure) == 0) {
        return true;
    }
    error_hint(error, "%.400s.", failure.message);
    return false;
}

MachineResult machine_run(const Step *steps, size_t count, StepRecord *records, const MachineHooks *hooks,
                          Error *error)
{
    bool committed = machine_has_committed(steps, records, count), again = false;
    for (size_t i = 0; i < count; i++) {
        if (records[i].state == STEP_COMPLETE && !again && (!steps[i].volatile_result || committed)) {
            continue;
        }
        again = true;
        if (perform(&steps[i], &records[i], hooks, error) == 0) {
            continue;
        }
        Error taken = {.code = ERROR_NONE};
        if (!is_ours(hooks, &taken)) {
            error_context(&taken, "after \"%.200s\"", error->message);
            *error = taken;
            return MACHINE_TAKEN;
        }
        if (machine_has_committed(steps, records, count) &&
            !goes_back(steps, count, i, records, hooks, error)) {
            return MACHINE_STUCK;
        }
        Error failure;
        MachineResult result = machine_undo(steps, count, records, hooks, &failure);
        if (result != MACHINE_UNDONE) {
            error_context(&failure, "after \"%.200s\"", error->message);
            *error = failure;
        }
        return result;
    }
    return MACHINE_DONE;
}
