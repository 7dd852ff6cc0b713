/*
 * The lag in seconds is not computed but waited for: a position is taken, and the time until it is durable on the other
 * side is what a catch-up would take at this moment. Meanwhile the sessions at work are looked at, again and again: the
 * oldest transaction of that while is what a drain would have waited for.
 */
#include "measure.h"

#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "moved.h"
#include "positions.h"
#include "reverse.h"

#define APPLIER_SILENCE 10.0 /* seconds after which a report is no longer believed */
#define LOOK_MS 20
#define LEAST_MS 2000
#define PATIENCE_MS 10000

static int applier_position(Cutover *cutover, Lsn *at, Error *error)
{
    ApplierStatus applier;
    if (state_read_applier(cutover->target, cutover->migration.name, &applier, error) != 0) {
        return -1;
    }
    if (!applier.exists || applier.age > APPLIER_SILENCE || strcmp(applier.state, "stopped") == 0 ||
        strcmp(applier.state, "failed") == 0) {
        error_set(error, ERROR_STATE, "the applier does not run%s%s", *applier.message != '\0' ? ": " : "",
                  applier.message);
        return error_hint(error, "Start penstock follow and let it catch up.");
    }
    *at = applier.low_water_lsn;
    return 0;
}

static int source_position(Cutover *cutover, Lsn *at, Error *error)
{
    ReverseState state;
    if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0) {
        return -1;
    }
    if (!state.exists) {
        error_set(error, ERROR_STATE, "there is no way back: the target has no slot for it");
        return error_hint(error,
                          "The cutover was made with --no-reverse, or the slot was dropped. Writes made on "
                          "the target since would be lost.");
    }
    *at = state.confirmed;
    return 0;
}

static int position(Cutover *cutover, Lsn *at, Error *error)
{
    return cutover->road == &road_cutover ? applier_position(cutover, at, error)
                                          : source_position(cutover, at, error);
}

static int end_of_wal(Cutover *cutover, Lsn *out, Error *error)
{
    char *text = NULL;
    int status = database_value(cutover->leaving, &text, error, "SELECT pg_current_wal_lsn()", 0);
    if (status == 0 && (text == NULL || !lsn_parse(text, out))) {
        status = error_set(error, ERROR_STATE, "the %s gave no position", cutover->road->from);
    }
    free(text);
    return status;
}

int measure_lag(Cutover *cutover, int64_t *bytes, Error *error)
{
    Lsn at, end;
    if (position(cutover, &at, error) != 0 || end_of_wal(cutover, &end, error) != 0) {
        return -1;
    }
    *bytes = end > at ? (int64_t)(end - at) : 0;
    return 0;
}

static int look_at_work(Cutover *cutover, Measure *out, Error *error)
{
    double seconds;
    char *who;
    int busy;
    if (activity_busy(cutover->leaving, cutover->options->leave_readers, &busy, error) != 0 ||
        activity_oldest(cutover->leaving, &seconds, &who, error) != 0) {
        return -1;
    }
    out->looks++;
    out->at_work += busy;
    out->most_at_work = busy > out->most_at_work ? busy : out->most_at_work;
    if (who != NULL && seconds > out->oldest) {
        free(out->oldest_who);
        out->oldest_who = who;
        out->oldest = seconds;
    } else {
        free(who);
    }
    return 0;
}

static int look_at_large_objects(Cutover *cutover, Measure *out, Error *error)
{
    LargeKnown known;
    if (large_load(cutover->target, cutover->migration.name, &known, error) != 0) {
        return -1;
    }
    out->large_known = known.known;
    return known.known
               ? large_look(cutover->leaving, cutover->road == &road_cutover ? known.source : known.target,
                            &out->large, error)
               : 0;
}

static int measure_definitions(Cutover *cutover, Readers *readers, double *seconds, Error *error)
{
    char *mark = NULL;
    bool moved;
    if (catalog_mark(cutover->leaving, &mark, error) != 0) {
        return -1;
    }
    double began = clock_seconds();
    int status = catalog_moved(cutover->leaving, readers, mark, &moved, error);
    *seconds = clock_seconds() - began;
    free(mark);
    return status;
}

/* What grows with the number of objects: definitions and sequences, in the hold; publishing tables, before it. */
static int measure_objects(Cutover *cutover, Measure *out, Error *error)
{
    PositionsHelp help = last_help(cutover);
    Readers *readers = NULL;
    int status = positions_find_help(cutover->leaving, &help, &readers, error);
    if (status == 0) {
        status = measure_definitions(cutover, readers, &out->definition_seconds, error);
    }
    if (status == 0) {
        status =
            positions_measure(cutover->leaving, &readers, &out->sequences, &out->sequence_seconds, error);
        out->sequence_sessions = (int)readers_width(readers);
    }
    readers_free(readers);
    if (status != 0) {
        return -1;
    }
    return cutover->road == &road_cutover && !cutover->options->no_reverse
               ? reverse_measure(cutover->target, &cutover->migration, &out->tables, &out->publish_seconds,
                                 error)
               : 0;
}

int measure(Cutover *cutover, Measure *out, Error *error)
{
    Lsn end, at;
    int64_t began = clock_ms();
    *out = (Measure){.lag_seconds = -1};
    if (measure_lag(cutover, &out->lag_bytes, error) != 0 || end_of_wal(cutover, &end, error) != 0) {
        return -1;
    }
    for (int64_t passed = 0; passed < LEAST_MS || (out->lag_seconds < 0 && passed < PATIENCE_MS);
         passed = clock_ms() - began) {
        if (look_at_work(cutover, out, error) != 0 || position(cutover, &at, error) != 0) {
            return -1;
        }
        if (out->lag_seconds < 0 && at >= end) {
            out->lag_seconds = (double)(clock_ms() - began) / 1000.0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        clock_pause_ms(LOOK_MS);
    }
    out->at_work /= out->looks;
    return measure_objects(cutover, out, error) == 0 ? look_at_large_objects(cutover, out, error) : -1;
}

void measure_free(Measure *measure)
{
    free(measure->oldest_who);
    *measure = (Measure){0};
}
