/*
 * Both sides have a fence of their own (fence.h). That of the side that clients leave is raised, and stays; that of the
 * side that they come to, where an earlier switch raised one, is lifted before they are let in.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cutover.h"
#include "fence.h"
#include "positions.h"
#include "records.h"
#include "steps.h"

int step_fence_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    if (cutover->options->leave_readers) {
        json_object_set_new(detail, "readers", json_true());
    }
    return fence_remember(cutover->leaving, detail, error);
}

int step_fence(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left, limit = (int)(FENCE_LIMIT_S * 1000);
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    return fence_raise(cutover->leaving, detail, false, positions_sessions(cutover->positions),
                       left < limit ? left : limit, interrupted, error);
}

int step_unfence(void *context, const json_t *detail, Error *error)
{
    return fence_lift(((Cutover *)context)->leaving, detail, error);
}

void advise_unfence(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    fence_advise(cutover->context.from.database, cutover->road->from, detail, out, size);
}

/*
 * What the fence of the other road found before it was raised ("closed"); where that road was never gone, the settings as they
 * are. Subscriptions there are not our affair.
 */
int step_open_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const Road *other = cutover->road == &road_cutover ? &road_rollback : &road_cutover;
    StepRecord records[MAX_STEPS];
    int status = records_load(cutover, other, records, error);
    const StepRecord *fence = records_of(other, records, "fence");
    if (status == 0 && fence != NULL && fence->state == STEP_COMPLETE) {
        json_object_update(detail, fence->detail);
        json_object_set_new(detail, "closed", json_true());
    }
    step_records_free(records, MAX_STEPS);
    if (status == 0 && json_object_size(detail) == 0) {
        status = fence_remember(cutover->entering, detail, error);
        json_object_set_new(detail, "subscriptions", json_array());
    }
    return status;
}

static bool was_closed(const json_t *detail)
{
    return json_is_true(json_object_get(detail, "closed"));
}

/*
 * Not whole yet: a proxy that is restarted in the hold leads its clients by its file, which may name this side already. What they
 * wrote there would be lost if all were undone.
 */
int step_open(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    return fence_half_open(cutover->entering, detail, error);
}

static bool never(void)
{
    return false;
}

/* The applier goes on writing to a target that is fenced again; at the source nobody is left. */
int step_close(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int limit = (int)(FENCE_LIMIT_S * 1000);
    return was_closed(detail) ? fence_raise(cutover->entering, detail, true, "{}", limit, never, error)
                              : fence_open(cutover->entering, detail, limit, error);
}

void advise_close(void *context, const json_t *detail, char *out, size_t size)
{
    const Cutover *cutover = context;
    if (!was_closed(detail)) {
        fence_advise(cutover->context.to.database, cutover->road->to, detail, out, size);
        return;
    }
    char *name = database_quote(cutover->context.to.database);
    snprintf(out, size,
             "on the %s: ALTER DATABASE %s CONNECTION LIMIT 0; ALTER DATABASE %s SET "
             "default_transaction_read_only = on",
             cutover->road->to, name, name);
    free(name);
}

int step_admit(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const StepRecord *record = records_of(cutover->road, cutover->records, "open");
    int left;
    (void)detail;
    if (record == NULL) {
        return 0;
    }
    return cutover_hold_left(cutover, &left, error) == 0
               ? fence_open(cutover->entering, record->detail, left, error)
               : -1;
}
