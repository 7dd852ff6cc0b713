/*
 * One round at a time, of one road at a time.
 */
#include "allowed.h"

#include <stdio.h>
#include <string.h>

#include "fence_sql.h"
#include "records.h"

static int refuse_switched(const Cutover *cutover, Error *error)
{
    error_set(error, ERROR_STATE, "migration \"%s\" has been switched already", cutover->migration.name);
    return error_hint(error, "penstock finish removes what the migration made; penstock rollback goes back.");
}

static int check_phase(const Cutover *cutover, bool begun, Error *error)
{
    Phase phase = cutover->migration.phase;
    const char *name = cutover->migration.name;
    bool carries_on = begun && cutover->options->mode == CUTOVER_RESUME;
    if (phase == PHASE_ROLLED_BACK && !carries_on) {
        error_set(error, ERROR_STATE, "migration \"%s\" has been rolled back", name);
        return error_hint(error,
                          "Clients are on the source. penstock finish removes what the migration made; "
                          "then it can begin anew.");
    }
    if (phase == PHASE_SWITCHED && cutover->road == &road_cutover && !carries_on) {
        return begun && cutover->options->mode == CUTOVER_UNDO ? 0 : refuse_switched(cutover, error);
    }
    if (phase != PHASE_SWITCHED && cutover->road == &road_rollback && !begun) {
        error_set(error, ERROR_STATE, "migration \"%s\" is in phase %s: there is nothing to go back from",
                  name, state_phase_name(phase));
        return error_hint(error, "A cutover that was cut short is undone by penstock cutover --undo.");
    }
    return 0;
}

bool allowed_needs_end(Cutover *cutover)
{
    StepRecord records[MAX_STEPS];
    Error ignored;
    bool needs = false;
    if (cutover->road != &road_rollback || cutover->options->mode != CUTOVER_RUN || cutover->target == NULL) {
        return false;
    }
    if (records_load(cutover, &road_cutover, records, &ignored) == 0) {
        needs = !records_ended(&road_cutover, records) &&
                machine_has_committed(road_cutover.steps, records, (size_t)road_cutover.count);
    }
    step_records_free(records, MAX_STEPS);
    return needs;
}

/* The other road must have been gone to its end. */
static int check_other_road(const Cutover *cutover, Error *error)
{
    const Road *other = cutover->road == &road_cutover ? &road_rollback : &road_cutover;
    bool open;
    if (state_operation_open(cutover->target, cutover->migration.name, other->operation,
                             other->steps[other->count - 1].name, &open, error) != 0) {
        return -1;
    }
    if (!open) {
        return 0;
    }
    error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", other->operation,
              cutover->migration.name);
    return error_hint(error, "First: penstock %s --resume, or --undo as long as it can be undone.",
                      other->operation);
}

/* Past the point of no return, what goes back is the other road. */
int allowed_refuse_undo(const Cutover *cutover, const Error *why, Error *error)
{
    const Road *road = cutover->road;
    error_set(error, ERROR_STATE, "clients have been released to the %s: that cannot be undone (%.300s)",
              road->to, why->message);
    return road == &road_cutover
               ? error_hint(
                     error,
                     "penstock rollback takes the clients back, with all that they wrote; penstock cutover "
                     "--resume carries on.")
               : error_hint(error, "End it with penstock rollback --resume; then penstock cutover goes to "
                                   "the target again.");
}

/* A helper has nothing to do with what others have begun, or once clients were let go. */
static int check_round(const Cutover *cutover, Error *error)
{
    const Road *road = cutover->road;
    if (machine_has_begun(cutover->records, (size_t)road->count) &&
        !machine_has_committed(road->steps, cutover->records, (size_t)road->count) &&
        strcmp(cutover_round(cutover), cutover->options->only_round) == 0) {
        return 0;
    }
    *cutover->options->over = true;
    return error_set(error, ERROR_STATE, "there is nothing to undo any more");
}

/*
 * What was undone while the target took no lines of the journal (a full disk) is in the ledger alone. Whoever carries on from elsewhere does not
 * have that: clients would be led away from a side that they write to. The fence says it, which is lifted in each undo.
 */
static int check_still_fenced(const Cutover *cutover, Error *error)
{
    const Road *road = cutover->road;
    const StepRecord *fence = records_of(road, cutover->records, "fence");
    bool stands = true;
    Error ignored; /* a side that does not answer holds up nothing here */
    if (fence == NULL || fence->state != STEP_COMPLETE || cutover->leaving == NULL ||
        machine_has_committed(road->steps, cutover->records, (size_t)road->count) ||
        database_found(cutover->leaving, &stands, &ignored, "SELECT true WHERE " FENCE_STANDS, 0) != 0 ||
        stands) {
        return 0;
    }
    error_set(
        error, ERROR_STATE,
        "the fence of the %s does not stand any more: this %s has been undone, or somebody has lifted it",
        road->from, road->operation);
    return error_hint(error,
                      "Nobody is led anywhere like this. penstock %s --undo takes away what is left, and the "
                      "same command without --resume begins anew.",
                      road->operation);
}

/* A release that is being taken back cannot be made again: the side that clients were let to is closed. */
static int check_resume(const Cutover *cutover, Error *error)
{
    const Road *road = cutover->road;
    for (int i = 0; i < road->count; i++) {
        if (road->steps[i].commits && cutover->records[i].state == STEP_RETREATING) {
            error_set(error, ERROR_STATE, "this %s is going back", road->operation);
            return error_hint(error, "penstock %s --undo ends that.", road->operation);
        }
    }
    if (cutover->target == NULL) {
        error_set(error, ERROR_STATE, "the target does not answer: there is no way forward");
        return error_hint(error, "penstock %s --undo lets the clients go on at the %s.", road->operation,
                          road->from);
    }
    return check_still_fenced(cutover, error);
}

int allowed_check(const Cutover *cutover, Error *error)
{
    const StepRecord *records = cutover->records;
    const Road *road = cutover->road;
    CutoverMode mode = cutover->options->mode;
    bool begun = machine_has_begun(records, (size_t)road->count);
    if (cutover->options->only_round != NULL) {
        return check_round(cutover, error);
    }
    /* Without a target there is only the ledger, and only what was begun. */
    if (cutover->target != NULL &&
        (check_phase(cutover, begun, error) != 0 || check_other_road(cutover, error) != 0)) {
        return -1;
    }
    if (begun && (mode == CUTOVER_RUN || mode == CUTOVER_DRY_RUN)) {
        error_set(error, ERROR_STATE, "a %s of migration \"%s\" was begun and not ended", road->operation,
                  cutover->migration.name);
        return machine_has_committed(road->steps, records, (size_t)road->count)
                   ? error_hint(error, "Clients have been released to the %s: carry on with --resume.",
                                road->to)
                   : error_hint(error, "Carry on with --resume, or go back with --undo.");
    }
    if (!begun && (mode == CUTOVER_RESUME || mode == CUTOVER_UNDO)) {
        return error_set(error, ERROR_STATE, "no %s of migration \"%s\" is under way: nothing to %s",
                         road->operation, cutover->migration.name,
                         mode == CUTOVER_RESUME ? "resume" : "undo");
    }
    return mode == CUTOVER_RESUME ? check_resume(cutover, error) : 0;
}
