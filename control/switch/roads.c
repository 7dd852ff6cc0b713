/*
 * Both roads, step by step. Clients wait from the end of `hold` to `release`; up to the begin of `release` everything is
 * undone when something fails, from there on the only way is forward, since clients may have written: unless `probe` fails
 * and it can be shown that nobody has.
 *
 * Slots are made last before the hold: while it lasts they are moved on, for which the server reads all WAL since they were made.
 *
 *     cutover:   preflight  warm up  publish  subscribe  ahead  large ahead  slot  hand over  lookout
 *                           hold  drain  fence  position  catch up  definitions  triggers  sequences  large objects  changed  snapshot  begin  open  point  prove  look  admit
 *                           RELEASE  probe  gone  streams  count  switched
 *     rollback:  preflight  ahead  large ahead  stream  lookout
 *                           hold  drain  fence  position  catch up  definitions  sequences  large objects  begin  open  point  look  still  admit
 *                           RELEASE  probe  gone  back
 */
#include <stdio.h>

#include "cutover.h"
#include "defined.h"
#include "kept.h"
#include "steps.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))
#define NEEDS_BOTH (NEEDS_SOURCE | NEEDS_TARGET)

static const Step cutover_steps[] = {
    {.name = "preflight",
     .text = "check everything that can be known before",
     .prepare = step_preflight_prepare,
     .perform = step_preflight,
     .needs = NEEDS_BOTH | NEEDS_PROXY},
    {.name = "warm up",
     .text = "statistics and hot relations of the target",
     .perform = step_warm_up,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_WARM_UP},
    {.name = "publish",
     .text = "the way back: publish the tables on the target",
     .perform = step_publish,
     .undo = step_unpublish,
     .advise = advise_unpublish,
     .needs = NEEDS_TARGET,
     .undo_needs = NEEDS_TARGET},
    {.name = "subscribe",
     .text = "the way back: a subscription on the source, not yet enabled",
     .perform = step_subscribe,
     .undo = step_unsubscribe,
     .advise = advise_unsubscribe,
     .needs = NEEDS_BOTH,
     .undo_needs = NEEDS_SOURCE},
    {.name = "ahead",
     .text = "set the sequences, as far as they are",
     .perform = step_ahead,
     .needs = NEEDS_BOTH},
    {.name = "large ahead",
     .text = "bring large objects, as far as they have changed",
     .perform = step_large_ahead,
     .needs = NEEDS_BOTH},
    {.name = "slot",
     .text = "the way back: a slot that keeps the target's changes",
     .perform = step_slot,
     .undo = step_drop_slot,
     .advise = advise_drop_slot,
     .needs = NEEDS_TARGET,
     .undo_needs = NEEDS_TARGET,
     .limit = LIMIT_PREPARE},
    {.name = "hand over",
     .text = "slots on the target for other consumers of changes",
     .prepare = step_hand_over_prepare,
     .perform = step_hand_over,
     .undo = step_take_slots,
     .needs = NEEDS_BOTH,
     .undo_needs = NEEDS_TARGET},
    {.name = "lookout",
     .text = "a way of our own through the proxy to the target, for a look before the release",
     .perform = step_lookout,
     .undo = step_end_look,
     .needs = NEEDS_BOTH | NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = step_hold_prepare,
     .perform = step_hold,
     .undo = step_let_go,
     .advise = advise_let_go,
     .needs = NEEDS_BOTH | NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY,
     .safety = true,
     .lets_go = true,
     .limit = LIMIT_DRAIN},
    {.name = "drain",
     .text = "wait until nobody is at work on the source",
     .perform = step_drain,
     .needs = NEEDS_SOURCE,
     .limit = LIMIT_DRAIN},
    {.name = "fence",
     .text = "let nobody write to the source any more",
     .prepare = step_fence_prepare,
     .perform = step_fence,
     .undo = step_unfence,
     .opens = true,
     .advise = advise_unfence,
     .needs = NEEDS_SOURCE,
     .undo_needs = NEEDS_SOURCE,
     .safety = true,
     .limit = LIMIT_FENCE},
    {.name = "position",
     .text = "note the last position of the source",
     .perform = step_position,
     .undo = step_forget_position,
     .needs = NEEDS_BOTH,
     .undo_needs = NEEDS_TARGET},
    {.name = "catch up",
     .text = "wait until the target has everything",
     .perform = step_catch_up,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_HOLD},
    {.name = "definitions",
     .text = "see that what was defined since the checks is the same on both sides",
     .perform = step_definitions,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_HOLD},
    {.name = "triggers",
     .text = "switch on triggers and rules that were off while the target followed",
     .perform = step_triggers,
     .undo = step_silence,
     .advise = advise_silence,
     .needs = NEEDS_TARGET,
     .undo_needs = NEEDS_TARGET,
     .comes_first = true},
    {.name = "sequences",
     .text = "set the sequences that have moved since",
     .perform = step_sequences,
     .needs = NEEDS_BOTH},
    {.name = "large objects",
     .text = "bring large objects that have changed since",
     .perform = step_large,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_HOLD},
    {.name = "changed",
     .text = "compare what has changed since the last comparison",
     .perform = step_changed,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_HOLD},
    {.name = "snapshot",
     .text = "keep this moment of both sides for the comparison",
     .perform = step_snapshot,
     .undo = step_forget_moment,
     .volatile_result = true},
    {.name = "begin",
     .text = "the way back: it begins here, where both sides are equal",
     .perform = step_move_slot,
     .needs = NEEDS_TARGET},
    {.name = "open",
     .text = "let logins into the target, but nobody write yet",
     .prepare = step_open_prepare,
     .perform = step_open,
     .undo = step_close,
     .advise = advise_close,
     .needs = NEEDS_TARGET,
     .undo_needs = NEEDS_TARGET},
    {.name = "point",
     .text = "point the proxy at the target",
     .prepare = step_hold_prepare,
     .perform = step_point,
     .undo = step_restore,
     .advise = advise_restore,
     .needs = NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY,
     .safety = true},
    {.name = "prove",
     .text = "see that nobody has passed the fence of the source",
     .perform = step_prove,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_HOLD},
    {.name = "look",
     .text = "look through the proxy at the target, before anybody is let go there",
     .perform = step_look,
     .needs = NEEDS_PROXY,
     .limit = LIMIT_HOLD},
    {.name = "admit",
     .text = "let clients write on the target",
     .perform = step_admit,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_HOLD},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .prepare = step_release_prepare,
     .perform = step_release,
     .undo = step_lift_again,
     .advise = advise_lift_again,
     .retract = step_retract,
     .needs = NEEDS_PROXY,
     .undo_needs = NEEDS_TARGET,
     .commits = true},
    {.name = "probe",
     .text = "look through the proxy at the target",
     .perform = step_probe,
     .needs = NEEDS_PROXY,
     .proves = true,
     .limit = LIMIT_PROBE},
    {.name = "gone",
     .text = "see that nobody is left on the source",
     .perform = step_gone,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_FENCE},
    {.name = "streams",
     .text = "the way back: the way there ends, and the source follows",
     .perform = step_streams,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_STREAMS},
    {.name = "count",
     .text = "the way back: count the rows of large tables of which not everything comes back",
     .perform = step_count,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_COUNT},
    {.name = "switched",
     .text = "mark the migration as switched",
     .perform = step_switched,
     .needs = NEEDS_TARGET},
};

static const Step rollback_steps[] = {
    {.name = "preflight",
     .text = "check everything that can be known before",
     .prepare = step_preflight_prepare,
     .perform = step_preflight,
     .needs = NEEDS_BOTH | NEEDS_PROXY},
    {.name = "ahead",
     .text = "set the sequences, as far as they are",
     .perform = step_ahead,
     .needs = NEEDS_BOTH},
    {.name = "large ahead",
     .text = "bring large objects, as far as they have changed",
     .perform = step_large_ahead,
     .needs = NEEDS_BOTH},
    {.name = "stream",
     .text = "the way there: a slot that keeps the source's changes",
     .perform = step_stream,
     .undo = step_drop_stream,
     .advise = advise_drop_stream,
     .needs = NEEDS_BOTH,
     .undo_needs = NEEDS_SOURCE,
     .limit = LIMIT_PREPARE},
    {.name = "lookout",
     .text = "a way of our own through the proxy to the source, for a look before the release",
     .perform = step_lookout,
     .undo = step_end_look,
     .needs = NEEDS_BOTH | NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = step_hold_prepare,
     .perform = step_hold,
     .undo = step_let_go,
     .advise = advise_let_go,
     .needs = NEEDS_BOTH | NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY,
     .safety = true,
     .lets_go = true,
     .limit = LIMIT_DRAIN},
    {.name = "drain",
     .text = "wait until nobody is at work on the target",
     .perform = step_drain,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_DRAIN},
    {.name = "fence",
     .text = "let nobody write to the target any more",
     .prepare = step_fence_prepare,
     .perform = step_fence,
     .undo = step_unfence,
     .opens = true,
     .advise = advise_unfence,
     .needs = NEEDS_TARGET,
     .undo_needs = NEEDS_TARGET,
     .safety = true,
     .limit = LIMIT_FENCE},
    {.name = "position",
     .text = "note the last position of the target",
     .perform = step_position,
     .needs = NEEDS_TARGET,
     .volatile_result = true},
    {.name = "catch up",
     .text = "wait until the source has everything",
     .perform = step_catch_up_back,
     .needs = NEEDS_BOTH,
     .volatile_result = true,
     .limit = LIMIT_HOLD},
    {.name = "definitions",
     .text = "see that what was defined since the checks is the same on both sides",
     .perform = step_definitions,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_HOLD},
    {.name = "sequences",
     .text = "set the sequences that have moved since",
     .perform = step_sequences,
     .needs = NEEDS_BOTH},
    {.name = "large objects",
     .text = "bring large objects that have changed since",
     .perform = step_large,
     .needs = NEEDS_BOTH,
     .limit = LIMIT_HOLD},
    {.name = "begin",
     .text = "the way there: it begins here, where both sides are equal",
     .perform = step_move_stream,
     .needs = NEEDS_BOTH},
    {.name = "open",
     .text = "let logins into the source, but nobody write yet",
     .prepare = step_open_prepare,
     .perform = step_open,
     .undo = step_close,
     .advise = advise_close,
     .needs = NEEDS_SOURCE,
     .undo_needs = NEEDS_SOURCE},
    {.name = "point",
     .text = "point the proxy at the source",
     .prepare = step_hold_prepare,
     .perform = step_point,
     .undo = step_restore,
     .advise = advise_restore,
     .needs = NEEDS_PROXY,
     .undo_needs = NEEDS_PROXY,
     .safety = true},
    {.name = "look",
     .text = "look through the proxy at the source, before anybody is let go there",
     .perform = step_look,
     .needs = NEEDS_PROXY,
     .limit = LIMIT_HOLD},
    {.name = "still",
     .text = "the way back stands still from here on",
     .perform = step_still,
     .undo = step_flow,
     .advise = advise_flow,
     .needs = NEEDS_SOURCE,
     .undo_needs = NEEDS_SOURCE,
     .volatile_result = true, /* catch up, which comes again, needs the way back */
     .limit = LIMIT_HOLD},
    {.name = "admit",
     .text = "let clients write on the source",
     .perform = step_admit,
     .needs = NEEDS_SOURCE,
     .limit = LIMIT_HOLD},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .perform = step_release,
     .needs = NEEDS_PROXY,
     .commits = true},
    {.name = "probe",
     .text = "look through the proxy at the source",
     .perform = step_probe,
     .needs = NEEDS_PROXY,
     .limit = LIMIT_PROBE},
    {.name = "gone",
     .text = "see that nobody is left on the target",
     .perform = step_gone,
     .needs = NEEDS_TARGET,
     .limit = LIMIT_FENCE},
    {.name = "back",
     .text = "take the way back away, mark the migration",
     .perform = step_back,
     .needs = NEEDS_BOTH},
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
    case LIMIT_PREPARE:
        return options->no_reverse ? 0 : options->prepare_limit;
    case LIMIT_STREAMS:
        return options->no_reverse ? 0 : STREAMS_LIMIT_S;
    case LIMIT_COUNT:
        return cutover->counting != NULL ? COUNT_LIMIT_S : 0;
    case LIMIT_PROBE:
        return cutover->holds ? PROBE_LIMIT_S : 0;
    case LIMIT_WARM_UP:
        return options->warm_up ? options->warm_up_limit : 0;
    }
    return 0;
}

void cutover_note(Cutover *cutover, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(cutover->note, sizeof cutover->note, format, args);
    va_end(args);
}

int step_preflight_prepare(void *context, json_t *detail, Error *error)
{
    const Cutover *cutover = context;
    json_t *kept = cutover->kept != NULL ? json_incref(cutover->kept) : kept_new(cutover);
    (void)error;
    json_object_update(detail, kept);
    json_decref(kept);
    return 0;
}

int step_preflight(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    return defined_mark(cutover, detail, error) == 0 ? cutover->road->preflight(cutover, error) : -1;
}
