/*
 * Both roads, step by step. Clients wait from the end of `hold` to `release`; up to the begin of `release` everything is
 * undone when something fails, from there on the only way is forward, since clients may have written.
 *
 *     cutover:   preflight  warm up  hold  drain  fence  position  catch up  sequences  snapshot
 *                           publish  slot  subscribe  open  point  RELEASE  probe  streams  gone  switched
 *     rollback:  preflight           hold  drain  fence  position  catch up  sequences
 *                           stream                    open  point  RELEASE  probe  gone  back
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "cutover.h"
#include "steps.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

static const Step cutover_steps[] = {
    {.name = "preflight", .text = "check everything that can be known before", .perform = step_preflight},
    {.name = "warm up",
     .text = "statistics and hot relations of the target",
     .perform = step_warm_up,
     .limit = LIMIT_WARM_UP},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = step_hold_prepare,
     .perform = step_hold,
     .undo = step_let_go,
     .limit = LIMIT_DRAIN},
    {.name = "drain",
     .text = "wait until nobody is at work on the source",
     .perform = step_drain,
     .limit = LIMIT_DRAIN},
    {.name = "fence",
     .text = "let nobody write to the source any more",
     .prepare = step_fence_prepare,
     .perform = step_fence,
     .undo = step_unfence,
     .limit = LIMIT_FENCE},
    {.name = "position",
     .text = "note the last position of the source",
     .perform = step_position,
     .undo = step_forget_position},
    {.name = "catch up",
     .text = "wait until the target has everything",
     .perform = step_catch_up,
     .limit = LIMIT_HOLD},
    {.name = "sequences", .text = "set and compare the sequences", .perform = step_sequences},
    {.name = "snapshot",
     .text = "keep this moment of both sides for the comparison",
     .perform = step_snapshot,
     .volatile_result = true},
    {.name = "publish",
     .text = "the way back: publish the tables on the target",
     .perform = step_publish,
     .undo = step_unpublish},
    {.name = "slot",
     .text = "the way back: keep the target's changes from here on",
     .perform = step_slot,
     .undo = step_drop_slot,
     .limit = LIMIT_HOLD},
    {.name = "subscribe",
     .text = "the way back: let the source follow the target",
     .perform = step_subscribe,
     .undo = step_unsubscribe,
     .limit = LIMIT_SUBSCRIBE},
    {.name = "open",
     .text = "lift the fence of the target, if a rollback raised one",
     .prepare = step_open_prepare,
     .perform = step_open,
     .undo = step_close},
    {.name = "point",
     .text = "point the proxy at the target",
     .prepare = step_hold_prepare,
     .perform = step_point,
     .undo = step_restore},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .perform = step_release,
     .commits = true},
    {.name = "probe",
     .text = "look through the proxy at the target",
     .perform = step_probe,
     .limit = LIMIT_PROBE},
    {.name = "streams",
     .text = "the way back: see that the source follows",
     .perform = step_streams,
     .limit = LIMIT_STREAMS},
    {.name = "gone",
     .text = "see that nobody is left on the source",
     .perform = step_gone,
     .limit = LIMIT_FENCE},
    {.name = "switched", .text = "mark the migration as switched", .perform = step_switched},
};

static const Step rollback_steps[] = {
    {.name = "preflight", .text = "check everything that can be known before", .perform = step_preflight},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = step_hold_prepare,
     .perform = step_hold,
     .undo = step_let_go,
     .limit = LIMIT_DRAIN},
    {.name = "drain",
     .text = "wait until nobody is at work on the target",
     .perform = step_drain,
     .limit = LIMIT_DRAIN},
    {.name = "fence",
     .text = "let nobody write to the target any more",
     .prepare = step_fence_prepare,
     .perform = step_fence,
     .undo = step_unfence,
     .limit = LIMIT_FENCE},
    {.name = "position",
     .text = "note the last position of the target",
     .perform = step_position,
     .volatile_result = true},
    {.name = "catch up",
     .text = "wait until the source has everything",
     .perform = step_catch_up_back,
     .volatile_result = true,
     .limit = LIMIT_HOLD},
    {.name = "sequences", .text = "set and compare the sequences", .perform = step_sequences},
    {.name = "stream",
     .text = "the way there: keep the source's changes from here on",
     .perform = step_stream,
     .undo = step_drop_stream,
     .limit = LIMIT_HOLD},
    {.name = "open",
     .text = "lift the fence of the source",
     .prepare = step_open_prepare,
     .perform = step_open,
     .undo = step_close},
    {.name = "point",
     .text = "point the proxy at the source",
     .prepare = step_hold_prepare,
     .perform = step_point,
     .undo = step_restore},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .perform = step_release,
     .commits = true},
    {.name = "probe",
     .text = "look through the proxy at the source",
     .perform = step_probe,
     .limit = LIMIT_PROBE},
    {.name = "gone",
     .text = "see that nobody is left on the target",
     .perform = step_gone,
     .limit = LIMIT_FENCE},
    {.name = "back", .text = "take the way back away, mark the migration", .perform = step_back},
};

_Static_assert(COUNT(cutover_steps) <= MAX_STEPS && COUNT(rollback_steps) <= MAX_STEPS,
               "records are too short");

const Road road_cutover = {.operation = "cutover",
                           .from = "source",
                           .to = "target",
                           .leaving = DATABASE_SOURCE,
                           .steps = cutover_steps,
                           .count = COUNT(cutover_steps),
                           .preflight = cutover_preflight};

const Road road_rollback = {.operation = "rollback",
                            .from = "target",
                            .to = "source",
                            .leaving = DATABASE_TARGET,
                            .steps = rollback_steps,
                            .count = COUNT(rollback_steps),
                            .preflight = rollback_preflight};

double cutover_limit(const Cutover *cutover, const Step *step)
{
    const CutoverOptions *options = cutover->options;
    switch ((LimitKind)step->limit) {
    case LIMIT_NONE:
        return 0;
    case LIMIT_DRAIN:
        return cutover->holds ? options->drain_limit : 0;
    case LIMIT_FENCE:
        return FENCE_LIMIT_S;
    case LIMIT_HOLD:
        return options->hold_limit;
    case LIMIT_SUBSCRIBE:
        return options->no_reverse ? 0 : SUBSCRIBE_LIMIT_S;
    case LIMIT_STREAMS:
        return options->no_reverse ? 0 : STREAMS_LIMIT_S;
    case LIMIT_PROBE:
        return cutover->holds ? PROBE_LIMIT_S : 0;
    case LIMIT_WARM_UP:
        return options->warm_up ? options->warm_up_limit : 0;
    }
    return 0;
}

int cutover_hold_left(const Cutover *cutover, int *left_ms, Error *error)
{
    int64_t left = cutover->hold_started + (int64_t)(cutover->options->hold_limit * 1000) - clock_ms();
    *left_ms = (int)left;
    if (left > 0) {
        return 0;
    }
    return error_set(error, ERROR_LIMIT, "clients have been held for %g s, the hold limit",
                     cutover->options->hold_limit);
}

void cutover_note(Cutover *cutover, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(cutover->note, sizeof cutover->note, format, args);
    va_end(args);
}

int step_preflight(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return cutover->road->preflight(cutover, error);
}
