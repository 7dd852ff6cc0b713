/*
 * The steps, in order. Clients wait from the end of `hold` to `release`; up to the begin of `release` everything is
 * undone when something fails, from there on the only way is forward, since clients may have written to the target.
 *
 *     preflight  hold  drain  fence  position  catch up  sequences  snapshot  point  RELEASE  probe  switched
 *                 │             │                                              │
 *                 let go        lift                                           restore          (undo, from right to left)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "fence.h"
#include "probe.h"
#include "records.h"
#include "sequences.h"

#define FENCE_LIMIT_S 5.0
#define PROBE_LIMIT_S 10.0

double cutover_limit(const Cutover *cutover, StepNumber step)
{
    switch (step) {
    case CUTOVER_HOLD:
    case CUTOVER_DRAIN:
        return cutover->holds ? cutover->options->drain_limit : 0;
    case CUTOVER_FENCE:
        return FENCE_LIMIT_S;
    case CUTOVER_CATCH_UP:
        return cutover->options->hold_limit;
    case CUTOVER_PROBE:
        return cutover->holds ? PROBE_LIMIT_S : 0;
    default:
        return 0;
    }
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

static void note(Cutover *cutover, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(Cutover *cutover, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(cutover->note, sizeof cutover->note, format, args);
    va_end(args);
}

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* --- preflight --- */

static int preflight(void *context, json_t *detail, Error *error)
{
    (void)detail;
    return cutover_preflight(context, error);
}

/* --- hold --- */

static int hold_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_array();
    json_object_set_new(detail, "proxies", all);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        json_t *one = NULL;
        if (cutover->proxies[i].operations->remember(cutover->proxies[i].proxy, &one, error) != 0) {
            return -1;
        }
        json_array_append_new(all, one);
    }
    return 0;
}

static int hold(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    cutover->hold_started = clock_ms();
    int64_t deadline = cutover->hold_started + (int64_t)(cutover->options->drain_limit * 1000);
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        int64_t left = deadline - clock_ms();
        cutover->context.drain_limit_ms = left > 1 ? (int)left : 1;
        if (proxy->operations->hold(proxy->proxy, &cutover->context, error) != 0) {
            if (error->code == ERROR_LIMIT) {
                activity_name_blockers(cutover->source, error);
            }
            return -1;
        }
    }
    return 0;
}

static int let_go(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = 0;
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        if (cutover->proxies[i].operations->let_go(cutover->proxies[i].proxy, error) != 0) {
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    return status;
}

/* --- drain --- */

static int drain(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (!cutover->holds) {
        note(cutover, "nothing holds the traffic: the fence will end what is open");
        return 0;
    }
    int64_t deadline = clock_ms() + (int64_t)(cutover->options->drain_limit * 1000);
    for (int quiet = 0, busy; quiet < 2;) {
        if (activity_busy(cutover->source, &busy, error) != 0) {
            return -1;
        }
        quiet = busy == 0 ? quiet + 1 : 0;
        if (cutover_interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (quiet < 2 && clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT,
                      "%d sessions beside the proxy are still at work on the source after %g s", busy,
                      cutover->options->drain_limit);
            activity_name_blockers(cutover->source, error);
            return -1;
        }
        clock_pause_ms(quiet < 2 ? 20 : 0);
    }
    return 0;
}

/* --- fence --- */

static int fence_prepare(void *context, json_t *detail, Error *error)
{
    return fence_remember(((Cutover *)context)->source, detail, error);
}

static int fence(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    return fence_raise(cutover->source, smaller(left, (int)(FENCE_LIMIT_S * 1000)), cutover_interrupted,
                       error);
}

static int unfence(void *context, const json_t *detail, Error *error)
{
    return fence_lift(((Cutover *)context)->source, detail, error);
}

/* --- final position --- */

/*
 * The message is written after the last transaction of the applications has ended, so all of them end before its
 * position; its own commit lies behind, so the low-water mark passes the position as soon as everything is applied,
 * without waiting for a keepalive.
 */
static int position(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *lsn = NULL;
    if (database_value(cutover->source, &lsn, error,
                       "SELECT pg_logical_emit_message(true, 'penstock', 'fence ' || $1)", 1,
                       cutover->migration.name) != 0) {
        return -1;
    }
    int status = 0;
    if (lsn == NULL || !lsn_parse(lsn, &cutover->final_lsn)) {
        status = error_set(error, ERROR_SOURCE, "the source gave no position for the last message");
    } else {
        json_object_set_new(detail, "final_lsn", json_string(lsn));
        note(cutover, "%s", lsn);
        status = state_set_final_lsn(cutover->target, cutover->migration.name, cutover->final_lsn, error);
    }
    free(lsn);
    return status;
}

/* Transactions come after it again. */
static int forget_position(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return state_set_final_lsn(cutover->target, cutover->migration.name, LSN_INVALID, error);
}

/* --- catch up --- */

static int catch_up(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    ApplierStatus applier;
    char at[LSN_TEXT_SIZE], final[LSN_TEXT_SIZE];
    (void)detail;
    while (true) {
        int left;
        if (state_read_applier(cutover->target, cutover->migration.name, &applier, error) != 0) {
            return -1;
        }
        if (applier.low_water_lsn >= cutover->final_lsn) {
            note(cutover, "everything up to %s is durable on the target",
                 lsn_format(cutover->final_lsn, final));
            return 0;
        }
        if (strcmp(applier.state, "failed") == 0) {
            return error_set(error, ERROR_STATE, "the applier failed: %s", applier.message);
        }
        if (cutover_interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (cutover_hold_left(cutover, &left, error) != 0) {
            error_context(error, "the applier is at %s, not yet at %s", lsn_format(applier.low_water_lsn, at),
                          lsn_format(cutover->final_lsn, final));
            return error_hint(error, "See penstock status. Try again at a lower lag, or raise --hold-limit.");
        }
        clock_pause_ms(10);
    }
}

/* --- sequences, snapshot --- */

static int sequences(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    size_t set = 0, count, different;
    char first[256];
    if (sequences_copy(cutover->source, cutover->target, &set, error) != 0 ||
        compare_sequences(cutover->source, cutover->target, &count, &different, first, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "sequences", json_integer((json_int_t)count));
    json_object_set_new(detail, "different", json_integer((json_int_t)different));
    if (different > 0) {
        return error_set(error, ERROR_TARGET,
                         "%zu of %zu sequences differ after they were set, the first is %s", different, count,
                         first);
    }
    note(cutover, "%zu set, all equal", count);
    return 0;
}

static int snapshot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *name = NULL;
    (void)detail;
    if (!cutover->options->verify) {
        note(cutover, "not asked for (--verify)");
        return 0;
    }
    if (database_connect(cutover->settings->target, DATABASE_TARGET, "cutover snapshot",
                         &cutover->snapshot_holder, error) != 0 ||
        database_execute(cutover->snapshot_holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                         0) != 0 ||
        database_value(cutover->snapshot_holder, &name, error, "SELECT pg_export_snapshot()", 0) != 0) {
        return -1;
    }
    snprintf(cutover->snapshot, sizeof cutover->snapshot, "%s", name != NULL ? name : "");
    free(name);
    return cutover_guard(cutover, error);
}

/* --- point, release --- */

static int point(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].operations->point_at(cutover->proxies[i].proxy, &cutover->context, error) !=
            0) {
            return -1;
        }
    }
    return cutover_hold_left(cutover, &left, error);
}

static int restore(void *context, const json_t *detail, Error *error);

static int release(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int status = 0;
    (void)detail;
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].operations->release(cutover->proxies[i].proxy, error) != 0) {
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    if (status == 0 && cutover->holds) {
        note(cutover, "clients were held for %.2f s",
             (double)(cutover->hold_ended - cutover->hold_started) / 1000.0);
    }
    return status;
}

/* --- probe, switched --- */

static int probe_one(Cutover *cutover, const char *uri, Error *error)
{
    ProbeAnswer answer;
    if (probe(uri, (int)(PROBE_LIMIT_S * 1000), &answer, error) != 0) {
        return -1;
    }
    if (strcmp(answer.system_identifier, cutover->target_system) != 0) {
        return error_set(error, ERROR_PROXY, "the proxy does not lead to the target: version %d answers",
                         answer.version / 10000);
    }
    if (!answer.writable) {
        return error_set(error, ERROR_TARGET, "the target answers through the proxy, but is read-only");
    }
    note(cutover, "version %d answers through the proxy, and takes writes", answer.version / 10000);
    return 0;
}

static int probe_all(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    note(cutover, cutover->holds ? "no credentials to look through the proxy" : "no proxy to look through");
    if (cutover->options->probe != NULL) {
        return probe_one(cutover, cutover->options->probe, error);
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (*cutover->proxies[i].report.probe != '\0' &&
            probe_one(cutover, cutover->proxies[i].report.probe, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int switched(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    note(cutover, "the source stays fenced");
    return state_set_phase(cutover->target, cutover->migration.name, PHASE_SWITCHED, error);
}

const Step cutover_steps[CUTOVER_STEPS] = {
    [CUTOVER_PREFLIGHT] = {.name = "preflight",
                           .text = "check everything that can be known before",
                           .perform = preflight},
    [CUTOVER_HOLD] = {.name = "hold",
                      .text = "hold the clients at the proxy, once their transactions have ended",
                      .prepare = hold_prepare,
                      .perform = hold,
                      .undo = let_go},
    [CUTOVER_DRAIN] = {.name = "drain",
                       .text = "wait until nobody is at work on the source",
                       .perform = drain},
    [CUTOVER_FENCE] = {.name = "fence",
                       .text = "let nobody write to the source any more",
                       .prepare = fence_prepare,
                       .perform = fence,
                       .undo = unfence},
    [CUTOVER_POSITION] = {.name = "position",
                          .text = "note the last position of the source",
                          .perform = position,
                          .undo = forget_position},
    [CUTOVER_CATCH_UP] = {.name = "catch up",
                          .text = "wait until the target has everything",
                          .perform = catch_up},
    [CUTOVER_SEQUENCES] = {.name = "sequences",
                           .text = "set and compare the sequences",
                           .perform = sequences},
    [CUTOVER_SNAPSHOT] = {.name = "snapshot",
                          .text = "keep this moment of the target for the comparison",
                          .perform = snapshot,
                          .volatile_result = true},
    [CUTOVER_POINT] = {.name = "point",
                       .text = "point the proxy at the target",
                       .prepare = hold_prepare,
                       .perform = point,
                       .undo = restore},
    [CUTOVER_RELEASE] = {.name = "release",
                         .text = "let the clients go on: the point of no return",
                         .perform = release,
                         .commits = true},
    [CUTOVER_PROBE] = {.name = "probe", .text = "look through the proxy at the target", .perform = probe_all},
    [CUTOVER_SWITCHED] = {.name = "switched", .text = "mark the migration as switched", .perform = switched},
};

static int restore(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    json_t *all = json_object_get(detail, "proxies");
    for (size_t i = cutover->proxy_count; i-- > 0;) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy->operations->restore(proxy->proxy, json_array_get(all, i), error) != 0) {
            return -1;
        }
    }
    return 0;
}
