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
#include "positions.h"
#include "reverse.h"
#include "steps.h"

#define LOOK_AGAIN_MS 10
#define LOOK_WHO_MS 500
#define CLOSE_S 0.5
#define CLOSE_CAP_S 3.0
#define CLOSE_PATIENCE_MS 20000
#define APPLIER_SILENCE_S 5.0 /* it reports five times a second */
#define APPLIER_LATE_S 0.6
#define GONE_MS 1000
#define RETRIES_MS 2000 /* what is not over by then is not a short break */

/*
 * The message is written after the last transaction of the applications has ended, so all of them end before its
 * position; its own commit lies behind, so the low-water mark passes the position as soon as everything is applied,
 * without waiting for a keepalive.
 */
/* *out is what the query, of the migration's name, gives. */
static int ask_lsn(Cutover *cutover, const char *query, Lsn *out, Error *error)
{
    char *lsn = NULL;
    int status = database_value(cutover->leaving, &lsn, error, query, 1, cutover->migration.name);
    if (status == 0 && (lsn == NULL || !lsn_parse(lsn, out))) {
        status = error_set(error, ERROR_STATE, "the %s gave no position for the last message",
                           cutover->road->from);
    }
    free(lsn);
    return status;
}

int step_position(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char final[LSN_TEXT_SIZE];
    if (ask_lsn(cutover, "SELECT pg_logical_emit_message(true, 'penstock', concat('fence ', $1::text))",
                &cutover->final_lsn, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "final_lsn", json_string(lsn_format(cutover->final_lsn, final)));
    cutover_note(cutover, "%s", final);
    return cutover->road == &road_cutover
               ? state_set_final_lsn(cutover->target, cutover->migration.name, cutover->final_lsn, error)
               : 0;
}

/* Transactions come after it again. */
int step_forget_position(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    return state_set_final_lsn(cutover->target, cutover->migration.name, LSN_INVALID, error);
}

/* --- catch up --- */

/* How far the other side has come; ERROR_STATE when it will never come further. began is when the wait did. */
typedef int (*Look)(Cutover *cutover, int64_t began, Lsn *at, Error *error);

static int no_applier(const ApplierStatus *applier, const char *what, Error *error)
{
    error_set(error, ERROR_STATE, "the applier %s%s%s", what, *applier->message != '\0' ? ": " : "",
              applier->message);
    return error_hint(error,
                      "penstock follow has to run until clients have been released; its log says more.");
}

/* Its lock goes with its connection, at once when it dies; who only connects again has it back soon. */
static bool is_gone(Cutover *cutover, const ApplierStatus *applier)
{
    bool locked = true;
    Error ignored;
    if (applier->age > APPLIER_LATE_S &&
        state_is_locked(cutover->target, cutover->migration.name, "applier", &locked, &ignored) != 0) {
        locked = true;
    }
    cutover->applier_gone_since = locked                             ? 0
                                  : cutover->applier_gone_since != 0 ? cutover->applier_gone_since
                                                                     : clock_ms();
    return !locked && clock_ms() - cutover->applier_gone_since > GONE_MS;
}

int cutover_check_applier(Cutover *cutover, const ApplierStatus *applier, int64_t began, Error *error)
{
    if (!applier->exists || strcmp(applier->state, "stopped") == 0) {
        return no_applier(applier, "does not run", error);
    }
    if (strcmp(applier->state, "failed") == 0) {
        return no_applier(applier, "failed", error);
    }
    if (is_gone(cutover, applier)) {
        return no_applier(applier, "has died", error);
    }
    if (applier->age > APPLIER_SILENCE_S) {
        return no_applier(applier, "has said nothing for some seconds: it hangs, or is gone", error);
    }
    bool waits = strcmp(applier->state, "waiting") == 0 && *applier->message != '\0';
    bool full = strcmp(applier->sqlstate, "53100") == 0; /* disk_full: no try will mend that */
    return waits && (full || clock_ms() - began > RETRIES_MS) ? no_applier(applier, "cannot go on", error)
                                                              : 0;
}

static int look_at_applier(Cutover *cutover, int64_t began, Lsn *at, Error *error)
{
    ApplierStatus applier;
    if (state_read_applier(cutover->target, cutover->migration.name, &applier, error) != 0) {
        return -1;
    }
    *at = applier.low_water_lsn;
    return *at < cutover->final_lsn ? cutover_check_applier(cutover, &applier, began, error) : 0;
}

/*
 * What the worker on the source applied counts once it is on disk: a commit of our own takes it there. And the worker looks for
 * what is on disk when something comes, or else after wal_writer_delay (LogicalRepApplyLoop): an empty transaction of ours on the
 * target comes, up to 14 (pgoutput leaves those out from 15 on, and the worker's own delay is what it takes).
 */
static int look_at_subscription(Cutover *cutover, int64_t began, Lsn *at, Error *error)
{
    static const char flush[] = "SELECT pg_logical_emit_message(true, 'penstock', 'flush')";
    ReverseState state;
    (void)began;
    if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0 ||
        database_execute(cutover->source, error, flush, 0) != 0 ||
        database_execute(cutover->target, error, flush, 0) != 0) {
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

/* Says who is in the way while he is. */
typedef struct Telling {
    int64_t next; /* look, on clock_ms */
    char *said;
} Telling;

static void tell_who_blocks(Cutover *cutover, Telling *telling)
{
    char *who = NULL;
    Error ignored;
    if (clock_ms() < telling->next) {
        return;
    }
    telling->next = clock_ms() + LOOK_WHO_MS;
    if (activity_in_our_way(cutover->entering, &who, &ignored) == 0 && who != NULL &&
        (telling->said == NULL || strcmp(telling->said, who) != 0)) {
        cutover_warn(cutover, "in the way: %s", who);
        free(telling->said);
        telling->said = who;
        return;
    }
    free(who);
}

static int wait_until_there(Cutover *cutover, Look look, Telling *telling, Error *error)
{
    char final[LSN_TEXT_SIZE];
    int64_t began = clock_ms();
    Lsn at = LSN_INVALID;
    telling->next = began + LOOK_WHO_MS;
    for (int left;; clock_pause_ms(LOOK_AGAIN_MS)) {
        tell_who_blocks(cutover, telling);
        if (look(cutover, began, &at, error) != 0) {
            return error->code == ERROR_LIMIT && cutover_hold_left(cutover, &left, error) != 0
                       ? too_late(cutover, at, error)
                       : -1;
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

static int wait_for_last(Cutover *cutover, Look look, Error *error)
{
    Telling telling = {.said = NULL};
    int status = wait_until_there(cutover, look, &telling, error);
    free(telling.said);
    return status;
}

int step_catch_up(void *context, json_t *detail, Error *error)
{
    return wait_for_last(context, look_at_applier, error) == 0 ? prove_prepare(context, detail, error) : -1;
}

int step_catch_up_back(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    /* A run that was cut short behind this step may have made it stand still. */
    return reverse_stand(cutover->source, &cutover->migration, false, error) == 0
               ? wait_for_last(cutover, look_at_subscription, error)
               : -1;
}

/* --- before anybody is held --- */

/* How long a change takes that is made now, at most CLOSE_CAP_S. *moves: the other side came further meanwhile. */
static int measure_delay(Cutover *cutover, Look look, double *seconds, bool *moves, Error *error)
{
    Lsn mark, at = LSN_INVALID, first = LSN_INVALID;
    int64_t began = clock_ms();
    if (ask_lsn(cutover, "SELECT pg_logical_emit_message(true, 'penstock', concat('close ', $1::text))",
                &mark, error) != 0) {
        return -1;
    }
    *seconds = 0;
    for (*moves = false; at < mark && *seconds < CLOSE_CAP_S; clock_pause_ms(LOOK_AGAIN_MS)) {
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (look(cutover, began, &at, error) != 0) {
            return -1;
        }
        first = first == LSN_INVALID ? at : first;
        *moves = at > first;
        *seconds = (double)(clock_ms() - began) / 1000.0;
    }
    return 0;
}

int last_wait_until_close(Cutover *cutover, Error *error)
{
    Look look = cutover->road == &road_cutover ? look_at_applier : look_at_subscription;
    int64_t end = clock_ms() + CLOSE_PATIENCE_MS;
    double seconds = 0;
    bool moves = true;
    do {
        if (measure_delay(cutover, look, &seconds, &moves, error) != 0) {
            return -1;
        }
    } while (seconds > CLOSE_S && moves && clock_ms() < end);
    if (seconds > CLOSE_S) {
        cutover_warn(cutover, "a change takes %.1f s%s to the %s: clients will be held for that long",
                     seconds, seconds >= CLOSE_CAP_S ? " or more" : "", cutover->road->to);
    }
    return 0;
}

/* --- sequences --- */

PositionsHelp last_help(const Cutover *cutover)
{
    DatabaseEnd end = cutover->road->leaving;
    return (PositionsHelp){
        .end = end,
        .uri = end == DATABASE_SOURCE ? cutover->settings->source : cutover->settings->target,
        .purpose = cutover->road->operation,
        .count = cutover->options->jobs - 1,
    };
}

int step_ahead(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    PositionsHelp help = last_help(cutover);
    positions_free(cutover->positions);
    if (positions_set_ahead(cutover->leaving, &help, cutover->entering, &cutover->positions, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "sequences", json_integer((json_int_t)positions_count(cutover->positions)));
    cutover_note(cutover, "%zu set", positions_count(cutover->positions));
    return 0;
}

int step_sequences(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    size_t count, moved;
    if (positions_set_rest(cutover->leaving, cutover->entering, cutover->positions, cutover->nothing_defined,
                           &count, &moved, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "sequences", json_integer((json_int_t)count));
    json_object_set_new(detail, "moved", json_integer((json_int_t)moved));
    cutover_note(cutover, "%zu, of which %zu had moved; all set", count, moved);
    return 0;
}

/* --- snapshot --- */

int step_snapshot(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    const Settings *settings = cutover->settings;
    if (!cutover->options->verify) {
        cutover_note(cutover, "not asked for (--verify)");
        return 0;
    }
    if (!cutover_source_answers(cutover)) {
        cutover_note(cutover, "the source does not answer: there is nothing to compare with");
        return 0;
    }
    if (cutover_reach_end(cutover, DATABASE_TARGET, false, error) != 0 ||
        step_forget_moment(cutover, detail, error) != 0 || /* of an earlier run */
        moment_begin(settings->source, settings->target, cutover_limits(cutover), detail, &cutover->keeper,
                     error) != 0 ||
        !moment_read(cutover->source, cutover->target, detail, &cutover->moment, error)) {
        return -1;
    }
    return cutover_guard(cutover, error);
}

static int forget_at(Cutover *cutover, DatabaseEnd end, const json_t *detail, Error *error)
{
    return cutover_reach_end(cutover, end, false, error) == 0
               ? moment_forget(end == DATABASE_SOURCE ? cutover->source : cutover->target, end, detail, error)
               : -1;
}

/* By either side: the keeper ends when one of its sessions does. */
int step_forget_moment(void *context, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Error other;
    bool own = cutover->keeper != NULL;
    moment_end(cutover->keeper);
    cutover->keeper = NULL;
    cutover->moment = (Moment){.source = ""};
    return own || json_object_size(detail) == 0 || forget_at(cutover, DATABASE_TARGET, detail, error) == 0 ||
                   forget_at(cutover, DATABASE_SOURCE, detail, &other) == 0
               ? 0
               : -1;
}
