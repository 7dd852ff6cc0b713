/*
 * What the applier says of itself in penstock.applier and penstock.snapshot.reached_at is all that is known of it here: it
 * may be somebody else's process.
 */
#include "beside.h"

#include <string.h>

#include "clock.h"
#include "jobs.h"

#define ADVANCE_SECONDS 3
#define PAUSE_MS 100

int beside_open(Copy *copy, const atomic_bool *stop, Beside *out, Error *error)
{
    *out = (Beside){.copy = copy, .follower = follower_new(copy->settings)};
    return snapshots_new(copy, stop, &out->snapshots, error);
}

void beside_close(Beside *beside)
{
    snapshots_free(beside->snapshots);
    follower_free(beside->follower);
    *beside = (Beside){0};
}

/* Or the stream may be at a later point than all that was copied. */
int beside_needed(const Copy *copy, bool *needed, Error *error)
{
    return database_found(
        copy->target, needed, error,
        "SELECT 1 FROM (SELECT count(DISTINCT snapshot) AS count, max(snapshot) AS newest FROM penstock.job"
        "                WHERE migration = $1) j"
        " WHERE j.count > 1 OR EXISTS (SELECT FROM penstock.snapshot s WHERE s.migration = $1"
        "       AND s.published_at IS NOT NULL AND s.number > j.newest)",
        1, copy->settings->migration);
}

int beside_tend(Beside *beside, bool advancing, Error *error)
{
    progress_tick(beside->copy->progress);
    if (snapshots_tick(beside->snapshots, error) != 0) {
        return -1;
    }
    if (advancing && clock_seconds() - beside->advanced_at >= ADVANCE_SECONDS) {
        beside->advanced_at = clock_seconds();
        if (snapshots_advance(beside->snapshots, error) != 0) {
            return -1;
        }
    }
    bool follow = advancing || snapshots_newest(beside->snapshots) > 1;
    return follow && !beside->copy->again ? follower_tend(beside->follower, error) : 0;
}

/* One look at where the stream is. */
typedef struct Place {
    bool there;
    char low_water[32]; /* "" when the applier has never said anything */
    char state[32];
    char message[512];
} Place;

static int look(const Beside *beside, const char *sql, Place *out, Error *error)
{
    PGresult *row = NULL;
    *out = (Place){0};
    if (database_query(beside->copy->target, &row, error, sql, 1, beside->copy->settings->migration) != 0) {
        return error_context(error, "asking where the stream is");
    }
    if (PQntuples(row) > 0) {
        out->there = PQgetvalue(row, 0, 0)[0] == 't';
        snprintf(out->low_water, sizeof(out->low_water), "%s", PQgetvalue(row, 0, 1));
        snprintf(out->state, sizeof(out->state), "%s", PQgetvalue(row, 0, 2));
        snprintf(out->message, sizeof(out->message), "%.500s", PQgetvalue(row, 0, 3));
    }
    PQclear(row);
    return 0;
}

static int has_stalled(const Beside *beside, const Place *place, const char *what, Error *error)
{
    error_set(error, ERROR_LIMIT,
              "the stream has not moved for %d s, and %s is waited for; it is at %s, the applier is %s%s%s",
              beside->copy->options->stall_timeout, what,
              place->low_water[0] != '\0' ? place->low_water : "its beginning",
              place->state[0] != '\0' ? place->state : "silent", place->message[0] != '\0' ? ": " : "",
              place->message);
    return error_hint(error, "see to the applier (penstock status), then run the same command again");
}

/* Waits for the place that sql asks for, in words what; stays as long as the low-water mark moves. */
static int wait_for(Beside *beside, const char *sql, const char *what, bool advancing, bool *give_up,
                    Error *error)
{
    char last[32] = "";
    double moved_at = clock_seconds();
    for (;;) {
        Place place;
        int64_t left = 0;
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while waiting for %s", what);
        }
        if (beside_tend(beside, advancing, error) != 0 || look(beside, sql, &place, error) != 0 ||
            jobs_left(beside->copy->target, beside->copy->settings->migration, &left, error) != 0) {
            return -1;
        }
        *give_up = left > 0;
        if (place.there || *give_up) {
            progress_note(beside->copy->progress, "%s", "");
            return 0;
        }
        if (strcmp(place.low_water, last) != 0) {
            snprintf(last, sizeof(last), "%s", place.low_water);
            moved_at = clock_seconds();
        }
        if (clock_seconds() - moved_at > beside->copy->options->stall_timeout) {
            return has_stalled(beside, &place, what, error);
        }
        progress_note(beside->copy->progress, "waiting for %s; it is at %s", what,
                      last[0] != '\0' ? last : "its beginning");
        clock_pause_ms(PAUSE_MS);
    }
}

int beside_pass(Beside *beside, bool *passed, Error *error)
{
    static const char sql[] =
        "SELECT a.low_water_lsn >= (SELECT max(s.end_lsn) FROM penstock.job j JOIN penstock.snapshot s"
        "                             ON s.migration = j.migration AND s.number = j.snapshot WHERE "
        "j.migration = $1),"
        "       a.low_water_lsn, a.state, a.error ->> 'message'"
        "  FROM penstock.applier a WHERE a.migration = $1";
    bool give_up = false;
    int status = wait_for(beside, sql, "the stream to pass what was copied", true, &give_up, error);
    *passed = status == 0 && !give_up;
    return status;
}

static const char stands_sql[] =
    "SELECT s.published_at IS NOT NULL AND (s.reached_at IS NOT NULL OR coalesce(a.low_water_lsn >= "
    "s.end_lsn, false)),"
    "       a.low_water_lsn, a.state, a.error ->> 'message'"
    "  FROM penstock.snapshot s LEFT JOIN penstock.applier a ON a.migration = s.migration"
    " WHERE s.migration = $1 ORDER BY s.number DESC LIMIT 1";

static const char standing[] = "the stream to stand at one point";

int beside_hold(Beside *beside, Error *error)
{
    bool give_up = false;
    if (snapshots_advance(beside->snapshots, error) != 0) {
        return -1;
    }
    if (wait_for(beside, stands_sql, standing, false, &give_up, error) != 0) {
        return -1;
    }
    return !give_up ? 0
                    : error_set(error, ERROR_STATE,
                                "something has to be copied anew, though the stream had passed it");
}

int beside_stands(Beside *beside, double since, bool *stands, Error *error)
{
    Place place;
    if (interrupted()) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted while waiting for %s", standing);
    }
    if (look(beside, stands_sql, &place, error) != 0) {
        return -1;
    }
    *stands = place.there;
    return place.there || clock_seconds() - since <= beside->copy->options->stall_timeout
               ? 0
               : has_stalled(beside, &place, standing, error);
}

int beside_go_on(Beside *beside, Error *error)
{
    beside->advanced_at = clock_seconds();
    return snapshots_advance(beside->snapshots, error);
}
