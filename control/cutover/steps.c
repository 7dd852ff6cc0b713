/*
 * The steps of both roads, in order. Clients wait from the end of `hold` to `release`; up to the begin of `release`
 * everything is undone when something fails, from there on the only way is forward, since clients may have written.
 *
 *     cutover:   preflight  hold  drain  fence  position  catch up  sequences  snapshot
 *                           publish  slot  subscribe  point  RELEASE  probe  switched
 *     rollback:  preflight  hold  drain  fence  position  catch up  sequences  open  point  RELEASE  probe  back
 *
 * Most steps are the same function: they work on the side that clients leave and the one that they go to, whichever it
 * is.
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
#include "reverse.h"
#include "sequences.h"

#define FENCE_LIMIT_S 5.0
#define PROBE_LIMIT_S 10.0
#define SUBSCRIBE_LIMIT_S 5.0
#define END_STREAM_LIMIT_MS 3000

double cutover_limit(const Cutover *cutover, const Step *step)
{
    const CutoverOptions *options = cutover->options;
    const struct {
        const char *name;
        double limit;
    } rows[] = {
        {"hold", cutover->holds ? options->drain_limit : 0},
        {"drain", cutover->holds ? options->drain_limit : 0},
        {"fence", FENCE_LIMIT_S},
        {"catch up", options->hold_limit},
        {"subscribe", options->no_reverse ? 0 : SUBSCRIBE_LIMIT_S},
        {"probe", cutover->holds ? PROBE_LIMIT_S : 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(rows[i].name, step->name) == 0) {
            return rows[i].limit;
        }
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

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* --- preflight --- */

static int preflight(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return cutover->road->preflight(cutover, error);
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
                activity_name_blockers(cutover->leaving, error);
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
        cutover_note(cutover, "nothing holds the traffic: the fence will end what is open");
        return 0;
    }
    int64_t deadline = clock_ms() + (int64_t)(cutover->options->drain_limit * 1000);
    for (int quiet = 0, busy; quiet < 2;) {
        if (activity_busy(cutover->leaving, &busy, error) != 0) {
            return -1;
        }
        quiet = busy == 0 ? quiet + 1 : 0;
        if (cutover_interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (quiet < 2 && clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT,
                      "%d sessions beside the proxy are still at work on the %s after %g s", busy,
                      cutover->road->from, cutover->options->drain_limit);
            activity_name_blockers(cutover->leaving, error);
            return -1;
        }
        clock_pause_ms(quiet < 2 ? 20 : 0);
    }
    return 0;
}

/* --- fence --- */

static int fence_prepare(void *context, json_t *detail, Error *error)
{
    return fence_remember(((Cutover *)context)->leaving, detail, error);
}

static int fence(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    return fence_raise(cutover->leaving, smaller(left, (int)(FENCE_LIMIT_S * 1000)), cutover_interrupted,
                       error);
}

static int unfence(void *context, const json_t *detail, Error *error)
{
    return fence_lift(((Cutover *)context)->leaving, detail, error);
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
    if (database_value(cutover->leaving, &lsn, error,
                       "SELECT pg_logical_emit_message(true, 'penstock', 'fence ' || $1)", 1,
                       cutover->migration.name) != 0) {
        return -1;
    }
    int status = 0;
    if (lsn == NULL || !lsn_parse(lsn, &cutover->final_lsn)) {
        status = error_set(error, ERROR_STATE, "the %s gave no position for the last message",
                           cutover->road->from);
    } else {
        json_object_set_new(detail, "final_lsn", json_string(lsn));
        cutover_note(cutover, "%s", lsn);
        status =
            cutover->road == &road_cutover
                ? state_set_final_lsn(cutover->target, cutover->migration.name, cutover->final_lsn, error)
                : 0;
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
            cutover_note(cutover, "everything up to %s is durable on the target",
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
    if (sequences_copy(cutover->leaving, cutover->entering, &set, error) != 0 ||
        compare_sequences(cutover->leaving, cutover->entering, &count, &different, first, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "sequences", json_integer((json_int_t)count));
    json_object_set_new(detail, "different", json_integer((json_int_t)different));
    if (different > 0) {
        return error_set(error, ERROR_STATE,
                         "%zu of %zu sequences differ after they were set, the first is %s", different, count,
                         first);
    }
    cutover_note(cutover, "%zu set, all equal", count);
    return 0;
}

/* Keeps one side as it is now, for as long as *holder lives. */
static int export_snapshot(const char *uri, DatabaseEnd end, Database **holder, char out[64], Error *error)
{
    char *name = NULL;
    if (database_connect(uri, end, "cutover snapshot", holder, error) != 0 ||
        database_execute(*holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_value(*holder, &name, error, "SELECT pg_export_snapshot()", 0) != 0) {
        return -1;
    }
    snprintf(out, 64, "%s", name != NULL ? name : "");
    free(name);
    return 0;
}

static int snapshot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const Settings *settings = cutover->settings;
    (void)detail;
    if (!cutover->options->verify) {
        cutover_note(cutover, "not asked for (--verify)");
        return 0;
    }
    if (export_snapshot(settings->source, DATABASE_SOURCE, &cutover->source_holder, cutover->source_snapshot,
                        error) != 0 ||
        export_snapshot(settings->target, DATABASE_TARGET, &cutover->snapshot_holder, cutover->snapshot,
                        error) != 0) {
        return -1;
    }
    return cutover_guard(cutover, error);
}

/* --- the way back --- */

static bool without_way_back(Cutover *cutover)
{
    if (cutover->options->no_reverse) {
        cutover_note(cutover, "not wanted (--no-reverse): there will be no rollback");
    }
    return cutover->options->no_reverse;
}

static int publish(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return without_way_back(cutover) ? 0 : reverse_publish(cutover->target, &cutover->migration, error);
}

static int unpublish(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_unpublish(cutover->target, &cutover->migration, error);
}

static int make_slot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    if (without_way_back(cutover)) {
        return 0;
    }
    return cutover_hold_left(cutover, &left, error) != 0
               ? -1
               : reverse_make_slot(cutover->target, &cutover->migration, left, error);
}

static int drop_slot(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

static int subscribe(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    int left;
    (void)detail;
    if (without_way_back(cutover)) {
        return 0;
    }
    return cutover_hold_left(cutover, &left, error) != 0
               ? -1
               : reverse_subscribe(cutover->source, cutover->target, &cutover->migration,
                                   cutover->reverse_conninfo, smaller(left, (int)(SUBSCRIBE_LIMIT_S * 1000)),
                                   error);
}

static int unsubscribe(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return reverse_unsubscribe(cutover->source, &cutover->migration, error);
}

/*
 * With a way back the way there must have ended before clients write. When its slot cannot be dropped, the way back goes
 * instead: clients wait, and a loop would write old rows over new ones.
 */
static int end_forward(Cutover *cutover, Error *error)
{
    ReverseState state;
    Error failure;
    if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0) {
        return -1;
    }
    if (!state.exists ||
        reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, &failure) == 0) {
        return 0;
    }
    log_line(&cutover->settings->log, LOG_WARNING,
             "there is no way back: the stream from the source could not be ended (%s)", failure.message);
    return reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error);
}

/* --- the source opens again --- */

static int open_prepare(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    StepRecord records[MAX_STEPS];
    int status = records_load(cutover, &road_cutover, records, error);
    for (int i = 0; status == 0 && i < road_cutover.count; i++) {
        if (strcmp(road_cutover.steps[i].name, "fence") == 0 && records[i].detail != NULL) {
            json_object_update(detail, records[i].detail);
        }
    }
    step_records_free(records, MAX_STEPS);
    return status;
}

static int open_again(void *context, json_t *detail, Error *error)
{
    return fence_lift(((Cutover *)context)->entering, detail, error);
}

static bool never(void)
{
    return false;
}

static int close_again(void *context, const json_t *detail, Error *error)
{
    (void)detail;
    return fence_raise(((Cutover *)context)->entering, (int)(FENCE_LIMIT_S * 1000), never, error);
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

static int release(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    int status = cutover->road == &road_cutover ? end_forward(cutover, error) : 0;
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].operations->release(cutover->proxies[i].proxy, error) != 0) {
            status = -1;
        }
    }
    cutover->hold_ended = clock_ms();
    if (status == 0 && cutover->holds) {
        cutover_note(cutover, "clients were held for %.2f s",
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
    if (strcmp(answer.system_identifier, cutover->entering_system) != 0) {
        return error_set(error, ERROR_PROXY, "the proxy does not lead to the %s: version %d answers",
                         cutover->road->to, answer.version / 10000);
    }
    if (!answer.writable) {
        return error_set(error, ERROR_STATE, "the %s answers through the proxy, but is read-only",
                         cutover->road->to);
    }
    cutover_note(cutover, "version %d answers through the proxy, and takes writes", answer.version / 10000);
    return 0;
}

static int probe_all(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    cutover_note(cutover,
                 cutover->holds ? "no credentials to look through the proxy" : "no proxy to look through");
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
    cutover_note(cutover, "the source stays fenced");
    return state_set_phase(cutover->target, cutover->migration.name, cutover->road->ends, error);
}

/* Nothing is written to the target any more, and everything has come back. */
static int rolled_back(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    cutover_note(cutover, "the target stays fenced; the way back is taken away");
    if (reverse_unsubscribe(cutover->source, &cutover->migration, error) != 0 ||
        reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error) != 0 ||
        reverse_unpublish(cutover->target, &cutover->migration, error) != 0) {
        return -1;
    }
    return state_set_phase(cutover->target, cutover->migration.name, cutover->road->ends, error);
}

/* Until the source has what was written to the target. */
static int catch_up_back(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char at[LSN_TEXT_SIZE], final[LSN_TEXT_SIZE];
    (void)detail;
    while (true) {
        ReverseState state;
        int left;
        /* What the worker applied counts once it is on disk: a commit of our own takes it there. */
        if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0 ||
            database_execute(cutover->source, error,
                             "SELECT pg_logical_emit_message(true, 'penstock', 'flush')", 0) != 0) {
            return -1;
        }
        if (!state.exists) {
            return error_set(error, ERROR_STATE, "the slot of the way back is gone");
        }
        if (state.confirmed >= cutover->final_lsn) {
            cutover_note(cutover, "everything up to %s is durable on the source",
                         lsn_format(cutover->final_lsn, final));
            return 0;
        }
        if (cutover_interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (cutover_hold_left(cutover, &left, error) != 0) {
            error_context(error, "the source has confirmed %s, not yet %s", lsn_format(state.confirmed, at),
                          lsn_format(cutover->final_lsn, final));
            return error_hint(error,
                              "The log of the source says what its subscription does. Try again at a lower "
                              "lag, or raise --hold-limit.");
        }
        clock_pause_ms(20);
    }
}

static int restore(void *context, const json_t *detail, Error *error);

static const Step cutover_steps[] = {
    {.name = "preflight", .text = "check everything that can be known before", .perform = preflight},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = hold_prepare,
     .perform = hold,
     .undo = let_go},
    {.name = "drain", .text = "wait until nobody is at work on the source", .perform = drain},
    {.name = "fence",
     .text = "let nobody write to the source any more",
     .prepare = fence_prepare,
     .perform = fence,
     .undo = unfence},
    {.name = "position",
     .text = "note the last position of the source",
     .perform = position,
     .undo = forget_position},
    {.name = "catch up", .text = "wait until the target has everything", .perform = catch_up},
    {.name = "sequences", .text = "set and compare the sequences", .perform = sequences},
    {.name = "snapshot",
     .text = "keep this moment of both sides for the comparison",
     .perform = snapshot,
     .volatile_result = true},
    {.name = "publish",
     .text = "the way back: publish the tables on the target",
     .perform = publish,
     .undo = unpublish},
    {.name = "slot",
     .text = "the way back: keep the target's changes from here on",
     .perform = make_slot,
     .undo = drop_slot},
    {.name = "subscribe",
     .text = "the way back: let the source follow the target",
     .perform = subscribe,
     .undo = unsubscribe},
    {.name = "point",
     .text = "point the proxy at the target",
     .prepare = hold_prepare,
     .perform = point,
     .undo = restore},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .perform = release,
     .commits = true},
    {.name = "probe", .text = "look through the proxy at the target", .perform = probe_all},
    {.name = "switched", .text = "mark the migration as switched", .perform = switched},
};

static const Step rollback_steps[] = {
    {.name = "preflight", .text = "check everything that can be known before", .perform = preflight},
    {.name = "hold",
     .text = "hold the clients at the proxy, once their transactions have ended",
     .prepare = hold_prepare,
     .perform = hold,
     .undo = let_go},
    {.name = "drain", .text = "wait until nobody is at work on the target", .perform = drain},
    {.name = "fence",
     .text = "let nobody write to the target any more",
     .prepare = fence_prepare,
     .perform = fence,
     .undo = unfence},
    {.name = "position",
     .text = "note the last position of the target",
     .perform = position,
     .volatile_result = true},
    {.name = "catch up",
     .text = "wait until the source has everything",
     .perform = catch_up_back,
     .volatile_result = true},
    {.name = "sequences", .text = "set and compare the sequences", .perform = sequences},
    {.name = "open",
     .text = "lift the fence of the source",
     .prepare = open_prepare,
     .perform = open_again,
     .undo = close_again},
    {.name = "point",
     .text = "point the proxy at the source",
     .prepare = hold_prepare,
     .perform = point,
     .undo = restore},
    {.name = "release",
     .text = "let the clients go on: the point of no return",
     .perform = release,
     .commits = true},
    {.name = "probe", .text = "look through the proxy at the source", .perform = probe_all},
    {.name = "back", .text = "take the way back away, mark the migration", .perform = rolled_back},
};

#define COUNT(steps) ((int)(sizeof(steps) / sizeof *(steps)))
_Static_assert(COUNT(cutover_steps) <= MAX_STEPS && COUNT(rollback_steps) <= MAX_STEPS,
               "records are too short");

const Road road_cutover = {.operation = "cutover",
                           .from = "source",
                           .to = "target",
                           .leaving = DATABASE_SOURCE,
                           .steps = cutover_steps,
                           .count = COUNT(cutover_steps),
                           .begins = PHASE_COPIED,
                           .ends = PHASE_SWITCHED,
                           .preflight = cutover_preflight};

const Road road_rollback = {.operation = "rollback",
                            .from = "target",
                            .to = "source",
                            .leaving = DATABASE_TARGET,
                            .steps = rollback_steps,
                            .count = COUNT(rollback_steps),
                            .begins = PHASE_SWITCHED,
                            .ends = PHASE_ROLLED_BACK,
                            .preflight = rollback_preflight};

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
