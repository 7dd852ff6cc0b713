/*
 * Until the side that clients go to has everything: the last position of the side that they left, the wait for it, the
 * sequences, and a snapshot of that moment.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "reverse.h"
#include "sequences.h"
#include "steps.h"

#define LOOK_AGAIN_MS 10

/*
 * The message is written after the last transaction of the applications has ended, so all of them end before its
 * position; its own commit lies behind, so the low-water mark passes the position as soon as everything is applied,
 * without waiting for a keepalive.
 */
int step_position(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *lsn = NULL;
    if (database_value(cutover->leaving, &lsn, error,
                       "SELECT pg_logical_emit_message(true, 'penstock', concat('fence ', $1::text))", 1,
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
int step_forget_position(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return state_set_final_lsn(cutover->target, cutover->migration.name, LSN_INVALID, error);
}

/* --- catch up --- */

/* How far the other side has come; ERROR_STATE when it will never come further. */
typedef int (*Look)(Cutover *cutover, Lsn *at, Error *error);

static int look_at_applier(Cutover *cutover, Lsn *at, Error *error)
{
    ApplierStatus applier;
    if (state_read_applier(cutover->target, cutover->migration.name, &applier, error) != 0) {
        return -1;
    }
    *at = applier.low_water_lsn;
    return *at < cutover->final_lsn && strcmp(applier.state, "failed") == 0
               ? error_set(error, ERROR_STATE, "the applier failed: %s", applier.message)
               : 0;
}

/* What the worker on the source applied counts once it is on disk: a commit of our own takes it there. */
static int look_at_subscription(Cutover *cutover, Lsn *at, Error *error)
{
    ReverseState state;
    if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0 ||
        database_execute(cutover->source, error, "SELECT pg_logical_emit_message(true, 'penstock', 'flush')",
                         0) != 0) {
        return -1;
    }
    *at = state.confirmed;
    return state.exists ? 0 : error_set(error, ERROR_STATE, "the slot of the way back is gone");
}

static int too_late(Cutover *cutover, Lsn at, Error *error)
{
    char here[LSN_TEXT_SIZE], final[LSN_TEXT_SIZE];
    char bytes[32];
    snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)(cutover->final_lsn - at));
    error_context(error, "the %s has everything up to %s, not yet up to %s, %s bytes further",
                  cutover->road->to, lsn_format(at, here), lsn_format(cutover->final_lsn, final), bytes);
    error_hint(error, "%s Try again at a lower lag, or raise --hold-limit.",
               cutover->road == &road_cutover ? "penstock status shows how fast the applier is."
                                              : "The log of the source says what its subscription does.");
    activity_name_waiters(cutover->entering, error);
    return -1;
}

static int wait_for_last(Cutover *cutover, Look look, Error *error)
{
    char final[LSN_TEXT_SIZE];
    for (int left;; clock_pause_ms(LOOK_AGAIN_MS)) {
        Lsn at = LSN_INVALID;
        if (look(cutover, &at, error) != 0) {
            return -1;
        }
        if (at >= cutover->final_lsn) {
            cutover_note(cutover, "everything up to %s is durable on the %s",
                         lsn_format(cutover->final_lsn, final), cutover->road->to);
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (cutover_hold_left(cutover, &left, error) != 0) {
            return too_late(cutover, at, error);
        }
    }
}

int step_catch_up(void *context, json_t *detail, Error *error)
{
    (void)detail;
    return wait_for_last(context, look_at_applier, error);
}

int step_catch_up_back(void *context, json_t *detail, Error *error)
{
    (void)detail;
    return wait_for_last(context, look_at_subscription, error);
}

/* --- sequences --- */

int step_sequences(void *context, json_t *detail, Error *error)
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

/* --- snapshot --- */

/* Keeps one side as it is now, for as long as *holder lives. */
static int export_snapshot(const char *uri, DatabaseEnd end, Database **holder, char out[64], Error *error)
{
    char *name = NULL;
    database_close(*holder);
    *holder = NULL;
    if (database_connect(uri, end, "cutover snapshot", holder, error) != 0 ||
        database_execute(*holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_value(*holder, &name, error, "SELECT pg_export_snapshot()", 0) != 0) {
        return -1;
    }
    snprintf(out, 64, "%s", name != NULL ? name : "");
    free(name);
    return 0;
}

int step_snapshot(void *context, json_t *detail, Error *error)
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
