/*
 * Large objects in a switch: most of what has changed goes over before clients are held, the rest behind the fence. Then both sides
 * are equal, and from when on each one's changes are its own is written down: the way back, and a second switch, go on from there.
 */
#include "cutover.h"
#include "large.h"
#include "steps.h"

static int bring(Cutover *cutover, const LargeKnown *known, json_t *detail, LargeResult *result, Error *error)
{
    bool forward = cutover->road == &road_cutover;
    const Settings *settings = cutover->settings;
    const LargeRequest request = {.from_uri = forward ? settings->source : settings->target,
                                  .to_uri = forward ? settings->target : settings->source,
                                  .from = forward ? DATABASE_SOURCE : DATABASE_TARGET,
                                  .to = forward ? DATABASE_TARGET : DATABASE_SOURCE,
                                  .jobs = cutover->options->jobs,
                                  .owners = known->owners,
                                  .grants = known->grants,
                                  .limits = cutover_limits(cutover)};
    bool none = false;
    *result = (LargeResult){0};
    /* The moment goes first: what changes behind it is found by the next look. */
    if (large_now(cutover->leaving, result->since, error) != 0 ||
        large_none(cutover->leaving, cutover->entering, &none, error) != 0 ||
        (!none && large_bring(&request, forward ? known->source : known->target, result, error) != 0)) {
        return -1;
    }
    json_object_set_new(detail, "objects", json_integer((json_int_t)result->objects));
    json_object_set_new(detail, "removed", json_integer((json_int_t)result->removed));
    json_object_set_new(detail, "bytes", json_integer((json_int_t)result->bytes));
    cutover_note(cutover, "%lld brought, %lld removed, %lld bytes", (long long)result->objects,
                 (long long)result->removed, (long long)result->bytes);
    return 0;
}

static int load(Cutover *cutover, LargeKnown *out, Error *error)
{
    if (large_load(cutover->target, cutover->migration.name, out, error) != 0) {
        return -1;
    }
    if (!out->known) {
        cutover_note(cutover, "none are moved");
    }
    return 0;
}

int step_large_ahead(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool forward = cutover->road == &road_cutover;
    LargeKnown known;
    LargeResult result;
    if (load(cutover, &known, error) != 0 ||
        (known.known && bring(cutover, &known, detail, &result, error) != 0)) {
        return -1;
    }
    return known.known ? large_save(cutover->target, cutover->migration.name, forward ? result.since : NULL,
                                    forward ? NULL : result.since, error)
                       : 0;
}

int step_large(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool forward = cutover->road == &road_cutover;
    LargeKnown known;
    LargeResult result;
    char now[24];
    if (load(cutover, &known, error) != 0 ||
        (known.known && bring(cutover, &known, detail, &result, error) != 0)) {
        return -1;
    }
    if (!known.known) {
        return 0;
    }
    return large_now(cutover->entering, now, error) == 0
               ? large_save(cutover->target, cutover->migration.name, forward ? result.since : now,
                            forward ? now : result.since, error)
               : -1;
}
