/*
 * The order in which things are done makes the pair right, not their speed:
 *
 *     applier stands ──► S is taken ──► applier goes through what S sees, stands ──► T is taken ──► 'reached' becomes 'released'
 *
 * T counts only when that last move finds the state that it goes out from: then the applier stood all the while. A message in
 * the WAL behind S has the walsender send, and say that it has sent, all that S may see (an idle source writes nothing); it waits
 * for no standby.
 */
#include "pairs_parts.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "point.h"
#include "session.h"
#include "state.h"

#define PAUSE_MS 2
#define MOST_PAUSE_MS 100
#define START_SECONDS 60 /* for an applier that begins, or works its way through what it has missed */
#define OVER_MS 2000
#define NEAR_BYTES (16 << 20)

static int stopped(const Pairs *pairs, Error *error)
{
    return pairs->options.stop != NULL && pairs->options.stop()
               ? error_set(error, ERROR_INTERRUPTED, "interrupted while both sides were brought to one point")
               : 0;
}

/* Whether there is an applier that works: it says something every few seconds, and not that it has stopped. */
static bool is_at_work(const ApplierStatus *applier)
{
    return applier->exists && applier->age < START_SECONDS && strcmp(applier->state, "failed") != 0 &&
           strcmp(applier->state, "waiting") != 0 && strcmp(applier->state, "stopped") != 0;
}

/* It does not stand in the middle of a transaction: one of many rows may take its time, if the applier works. */
static int check_patience(Pairs *pairs, unsigned states, double seconds, Error *error)
{
    ApplierStatus applier;
    if (state_read_applier(pairs->state, pairs->options.settings->migration, &applier, error) != 0) {
        return -1;
    }
    if ((states & 1u << POINT_HELD) != 0 && is_at_work(&applier)) {
        return 0;
    }
    error_set(error, ERROR_LIMIT, "the applier has not come to a point to compare at in %.0f s%s%s", seconds,
              applier.message[0] != '\0' ? ": " : "", applier.message);
    return error_hint(error, "penstock status says what it waits for, or how far behind it is");
}

/* Waits until the point is in one of these states (a mask of 1 << PointState). */
static int wait_for(Pairs *pairs, int64_t number, unsigned states, double seconds, StreamPoint *point,
                    Error *error)
{
    double begun = clock_seconds();
    for (;;) {
        if (state_point_read(pairs->state, pairs->options.settings->migration, point, error) != 0) {
            return -1;
        }
        if (point->number != number) {
            snapshot_free(&point->snapshot);
            return error_set(error, ERROR_STATE, "another comparison of this migration has begun");
        }
        if ((states & 1u << point->state) != 0) {
            return 0;
        }
        snapshot_free(&point->snapshot);
        if (stopped(pairs, error) != 0 || follower_tend(pairs->follower, error) != 0) {
            return -1;
        }
        if (clock_seconds() - begun > seconds) {
            if (check_patience(pairs, states, seconds, error) != 0) {
                return -1;
            }
            begun = clock_seconds();
        }
        clock_pause_ms(PAUSE_MS);
    }
}

static int move(Pairs *pairs, int64_t number, PointState from, PointState to, const PointNote *note,
                bool *moved, Error *error)
{
    return state_point_move(pairs->state, pairs->options.settings->migration, number, from, to, note, moved,
                            error);
}

/* Takes S, and gives it to the applier that stands in state from. */
static int take_source(Pairs *pairs, int64_t number, PointState from, bool *moved, Error *error)
{
    enum { MOST_SEEN = 1 << 20 };
    char *seen = NULL, *end = NULL;
    int status = exported_take(pairs->holders[0], &seen, pairs->exported[0], error);
    if (status == 0 && strlen(seen) >= MOST_SEEN) {
        status = error_set(error, ERROR_SOURCE, "so many transactions run that their list is too long");
    }
    if (status == 0) {
        status = database_value(pairs->holders[0], &end, error,
                                "SELECT pg_catalog.pg_current_wal_insert_lsn()", 0);
    }
    if (status == 0) {
        status = database_execute(
            pairs->marker, error,
            "SELECT pg_catalog.pg_logical_emit_message(true, 'penstock verify', pg_catalog.text '')", 0);
    }
    const PointNote note = {.seen = seen, .end = end};
    if (status == 0) {
        status = move(pairs, number, from, POINT_TAKEN, &note, moved, error);
    }
    if (status == 0) {
        snprintf(pairs->summary.last_point, sizeof(pairs->summary.last_point), "%s", end);
    }
    free(seen);
    free(end);
    return status;
}

/*
 * From a standing applier to one that stands where S is; *reached is false when it gave up, as it does at its limit. One
 * transaction may be long in becoming visible, so the next S is taken a little later each time.
 */
static int meet(Pairs *pairs, int64_t number, bool *reached, Error *error)
{
    StreamPoint point = {.state = POINT_HELD};
    for (int pause_ms = 0;; pause_ms = pause_ms < MOST_PAUSE_MS ? pause_ms + PAUSE_MS : pause_ms) {
        bool moved;
        clock_pause_ms(pause_ms);
        if (take_source(pairs, number, point.state, &moved, error) != 0 ||
            wait_for(pairs, number, 1u << POINT_REFUSED | 1u << POINT_REACHED | 1u << POINT_GIVEN_UP,
                     START_SECONDS, &point, error) != 0) {
            return -1;
        }
        snapshot_free(&point.snapshot);
        if (point.state != POINT_REFUSED) {
            break;
        }
        pairs->summary.refused++;
    }
    *reached = point.state == POINT_REACHED;
    return 0;
}

/* T, while the applier stands. *taken is false when it does not any more. */
static int take_target(Pairs *pairs, int64_t number, bool *taken, Error *error)
{
    return exported_take(pairs->holders[1], NULL, pairs->exported[1], error) == 0
               ? move(pairs, number, POINT_REACHED, POINT_RELEASED, NULL, taken, error)
               : -1;
}

/* How long it stood is only for show. */
static int note_hold(Pairs *pairs, int64_t number, Error *error)
{
    StreamPoint point;
    if (wait_for(pairs, number, 1u << POINT_OVER | 1u << POINT_GIVEN_UP, OVER_MS / 1000.0, &point, error) !=
        0) {
        return error->code == ERROR_LIMIT ? 0 : -1;
    }
    PairsSummary *summary = &pairs->summary;
    summary->longest_hold_ms =
        point.held_ms > summary->longest_hold_ms ? point.held_ms : summary->longest_hold_ms;
    snapshot_free(&point.snapshot);
    return 0;
}

/* One point from wish to end; *made is false when the applier gave it up, as it does when it begins anew. */
static int try_point(Pairs *pairs, bool *made, Error *error)
{
    int64_t number;
    StreamPoint point;
    *made = false;
    if (state_point_want(pairs->state, pairs->options.settings->migration, pairs->options.limit_ms, &number,
                         error) != 0 ||
        wait_for(pairs, number, 1u << POINT_HELD | 1u << POINT_GIVEN_UP, START_SECONDS, &point, error) != 0) {
        return -1;
    }
    snapshot_free(&point.snapshot);
    bool reached = false;
    int status = point.state == POINT_HELD ? meet(pairs, number, &reached, error) : 0;
    if (status == 0 && reached && pairs->work != NULL) {
        status = pairs->work(pairs->work_context, pairs->exported[0], number, error);
        /* What took longer than the point's limit is done all the same; then the pair is of another point. */
        pairs->work = status == 0 ? NULL : pairs->work;
    }
    if (status == 0 && reached) {
        status = take_target(pairs, number, made, error);
    }
    if (status == 0 && *made) {
        return note_hold(pairs, number, error);
    }
    bool moved;
    Error ignored;
    if (stopped(pairs, &ignored) != 0) {
        session_last_words(pairs->state); /* else the applier stands there until its limit */
    }
    (void)!move(pairs, number, POINT_NONE, POINT_GIVEN_UP, &(PointNote){.reason = "verify has no use for it"},
                &moved, &ignored);
    return status;
}

/* How many bytes of the source's WAL the target does not have yet, as far as the applier has said. */
static int read_lag(Pairs *pairs, ApplierStatus *applier, int64_t *lag, Error *error)
{
    char *text = NULL;
    Lsn end;
    if (state_read_applier(pairs->state, pairs->options.settings->migration, applier, error) != 0 ||
        database_value(pairs->marker, &text, error, "SELECT pg_catalog.pg_current_wal_lsn()", 0) != 0) {
        return -1;
    }
    bool known = text != NULL && lsn_parse(text, &end) && applier->exists;
    *lag = known && end > applier->low_water_lsn ? (int64_t)(end - applier->low_water_lsn) : 0;
    free(text);
    return 0;
}

static int is_not_at_work(const ApplierStatus *applier, int64_t lag, Error *error)
{
    error_set(error, ERROR_STATE, "the applier is %lld bytes behind and has not worked for %d s%s%s",
              (long long)lag, START_SECONDS, applier->message[0] != '\0' ? ": " : "", applier->message);
    return error_hint(error, "penstock status says what is wrong with it");
}

/*
 * While the applier works its way through what it has missed, a point would be a long way off: it would stand at its limit, again
 * and again. It may take as long as it likes, if it works.
 */
static int wait_until_near(Pairs *pairs, Error *error)
{
    double worked_at = clock_seconds(), said_at = worked_at;
    for (;;) {
        ApplierStatus applier;
        int64_t lag;
        if (read_lag(pairs, &applier, &lag, error) != 0) {
            return -1;
        }
        if (lag < NEAR_BYTES) {
            return 0;
        }
        worked_at = is_at_work(&applier) ? clock_seconds() : worked_at;
        if (clock_seconds() - worked_at > START_SECONDS) {
            return is_not_at_work(&applier, lag, error);
        }
        if (stopped(pairs, error) != 0 || follower_tend(pairs->follower, error) != 0) {
            return -1;
        }
        if (clock_seconds() - said_at > 10) {
            said_at = clock_seconds();
            log_line(&pairs->options.settings->log, LOG_INFO,
                     "waiting for the applier, which is %lld MB behind", (long long)(lag >> 20));
        }
        clock_pause_ms(100);
    }
}

/* The switch waits for the applier while clients wait for the switch: nobody holds the applier then. */
static int check_no_switch(Pairs *pairs, Error *error)
{
    bool open;
    if (state_operation_open(pairs->state, pairs->options.settings->migration, "cutover", "switched", &open,
                             error) != 0) {
        return -1;
    }
    if (open) {
        error_set(error, ERROR_STATE, "a cutover of migration \"%s\" has begun",
                  pairs->options.settings->migration);
        return error_hint(error,
                          "when it has ended, or was undone, the same command goes on where it stopped");
    }
    return 0;
}

int matched_take(Pairs *pairs, Error *error)
{
    int tries = 0;
    if (check_no_switch(pairs, error) != 0) {
        return -1;
    }
    if (wait_until_near(pairs, error) != 0) {
        return -1;
    }
    for (double begun = clock_seconds(); clock_seconds() - begun < START_SECONDS; tries++) {
        bool made;
        if (try_point(pairs, &made, error) != 0) {
            return -1;
        }
        if (made) {
            return 0;
        }
    }
    error_set(error, ERROR_STATE,
              "both sides could not be brought to one point in %d s and %d tries; %d snapshots did not fit",
              START_SECONDS, tries, pairs->summary.refused);
    return error_hint(
        error, "penstock.point on the target has the reason of the last: the applier begins anew again "
               "and again, or a transaction of the source waits for a synchronous standby");
}
