/*
 * The order in which things are done makes the pair right, not their speed:
 *
 *     applier stands ──► S is taken ──► applier goes through what S sees, stands ──► T is taken ──► 'reached' becomes 'released'
 *
 * T counts only when that last move finds the state that it goes out from: then the applier stood all the while. A message in
 * the WAL behind S has the walsender send, and say that it has sent, all that S may see (an idle source writes nothing); it waits
 * for no standby.
 */
#include "pairs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "follower.h"
#include "point.h"
#include "still.h"

#define PAUSE_MS 2
#define MOST_PAUSE_MS 100
#define START_SECONDS 60 /* for an applier that begins, or works its way through what it has missed */
#define OVER_MS 2000

struct Pairs {
    PairsOptions options;
    pthread_mutex_t mutex;
    Follower *follower;
    Database *state;  /* on the target */
    Database *marker; /* on the source */
    Database *holders
        [2]; /* of the source's and the target's snapshot, in their transactions; NULL: there is no pair */
    char exported[2][64];
    double made_at;
    PairsWork work; /* to be done at the next point, or NULL */
    void *work_context;
    PairsSummary summary;
};

int pairs_new(const PairsOptions *options, Pairs **out, Error *error)
{
    Pairs *pairs = calloc(1, sizeof(*pairs));
    if (pairs == NULL) {
        abort();
    }
    pairs->options = *options;
    pthread_mutex_init(&pairs->mutex, NULL);
    pairs->follower = options->switched ? NULL : follower_new(options->settings);
    if (database_connect(options->settings->target, DATABASE_TARGET, "verify", &pairs->state, error) != 0 ||
        database_connect(options->settings->source, DATABASE_SOURCE, "verify", &pairs->marker, error) != 0 ||
        database_execute(pairs->marker, error, "SET synchronous_commit = local", 0) != 0) {
        pairs_free(pairs);
        return -1;
    }
    *out = pairs;
    return 0;
}

static void drop(Pairs *pairs)
{
    for (int i = 0; i < 2; i++) {
        database_close(pairs->holders[i]);
        pairs->holders[i] = NULL;
    }
}

void pairs_free(Pairs *pairs)
{
    if (pairs != NULL) {
        drop(pairs);
        follower_free(pairs->follower);
        database_close(pairs->state);
        database_close(pairs->marker);
        pthread_mutex_destroy(&pairs->mutex);
        free(pairs);
    }
}

void pairs_summary(Pairs *pairs, PairsSummary *out)
{
    pthread_mutex_lock(&pairs->mutex);
    *out = pairs->summary;
    pthread_mutex_unlock(&pairs->mutex);
}

/* --- with the applier --- */

static int stopped(const Pairs *pairs, Error *error)
{
    return pairs->options.stop != NULL && pairs->options.stop()
               ? error_set(error, ERROR_INTERRUPTED, "interrupted while both sides were brought to one point")
               : 0;
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
            error_set(error, ERROR_LIMIT, "the applier has not come to a point to compare at in %.0f s",
                      seconds);
            return error_hint(error, "penstock status says what it waits for, or how far behind it is");
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

static int begin_exported(Database *holder, char *seen, size_t seen_size, char exported[64], Error *error)
{
    PGresult *row = NULL;
    bool open = PQtransactionStatus(database_connection(holder)) != PQTRANS_IDLE;
    if ((open && database_execute(holder, error, "ROLLBACK", 0) != 0) ||
        database_execute(holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_query(holder, &row, error,
                       "SELECT pg_catalog.txid_current_snapshot(), pg_catalog.pg_export_snapshot()",
                       0) != 0) {
        return -1;
    }
    int length = snprintf(seen, seen_size, "%s", PQgetvalue(row, 0, 0));
    snprintf(exported, 64, "%s", PQgetvalue(row, 0, 1));
    PQclear(row);
    return length < (int)seen_size
               ? 0
               : error_set(error, ERROR_SOURCE, "so many transactions run that their list is too long");
}

/* Takes S, and gives it to the applier that stands in state from. */
static int take_source(Pairs *pairs, int64_t number, PointState from, bool *moved, Error *error)
{
    enum { SEEN = 1 << 20 };
    char *seen = malloc(SEEN), *end = NULL;
    if (seen == NULL) {
        abort();
    }
    int status = begin_exported(pairs->holders[0], seen, SEEN, pairs->exported[0], error);
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
    char seen[1 << 16];
    return begin_exported(pairs->holders[1], seen, sizeof(seen), pairs->exported[1], error) == 0
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
    summary->all_holds_ms += point.held_ms;
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
    }
    if (status == 0 && reached) {
        status = take_target(pairs, number, made, error);
    }
    if (status == 0 && *made) {
        return note_hold(pairs, number, error);
    }
    bool moved;
    Error ignored;
    (void)!move(pairs, number, POINT_NONE, POINT_GIVEN_UP, &(PointNote){.reason = "verify has no use for it"},
                &moved, &ignored);
    return status;
}

static int make_with_applier(Pairs *pairs, Error *error)
{
    int tries = 0;
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

/* --- pairs --- */

static int open_holders(Pairs *pairs, Error *error)
{
    const Settings *settings = pairs->options.settings;
    return database_connect(settings->source, DATABASE_SOURCE, "verify snapshot", &pairs->holders[0],
                            error) == 0 &&
                   database_connect(settings->target, DATABASE_TARGET, "verify snapshot", &pairs->holders[1],
                                    error) == 0
               ? 0
               : -1;
}

static int make(Pairs *pairs, Error *error)
{
    if (open_holders(pairs, error) != 0) {
        return -1;
    }
    PairsSummary *summary = &pairs->summary;
    int status = pairs->options.switched ? still_take(pairs->holders, pairs->state, pairs->exported,
                                                      pairs->options.stop, summary->last_point, error)
                                         : make_with_applier(pairs, error);
    if (status != 0) {
        return -1;
    }
    pairs->made_at = clock_seconds();
    if (summary->count++ == 0) {
        memcpy(summary->first_point, summary->last_point, sizeof(summary->first_point));
    }
    return 0;
}

static int adopt_one(Database *database, const char *exported, Error *error)
{
    char sql[160];
    snprintf(sql, sizeof(sql),
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'", exported);
    return database_execute(database, error, sql, 0);
}

static int adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    if (pairs->holders[0] != NULL && clock_seconds() - pairs->made_at >= pairs->options.cycle) {
        drop(pairs);
    }
    if (pairs->holders[0] == NULL && make(pairs, error) != 0) {
        drop(pairs);
        return -1;
    }
    *number = pairs->summary.count;
    return adopt_one(source, pairs->exported[0], error) == 0 ? adopt_one(target, pairs->exported[1], error)
                                                             : -1;
}

int pairs_adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    pthread_mutex_lock(&pairs->mutex);
    int status = adopt(pairs, source, target, number, error);
    pthread_mutex_unlock(&pairs->mutex);
    return status;
}

int pairs_at_point(Pairs *pairs, PairsWork work, void *context, Error *error)
{
    pthread_mutex_lock(&pairs->mutex);
    drop(pairs);
    pairs->work = work;
    pairs->work_context = context;
    int status = make(pairs, error);
    pairs->work = NULL;
    if (status != 0) {
        drop(pairs);
    }
    pthread_mutex_unlock(&pairs->mutex);
    return status;
}

/* The applier gives a point up by an update of this row, and goes on only when that is done. */
int pairs_lock_point(Database *target, const char *migration, int64_t point, bool *stands, Error *error)
{
    char number[24];
    snprintf(number, sizeof(number), "%lld", (long long)point);
    return database_found(target, stands, error,
                          "SELECT 1 FROM penstock.point WHERE migration = $1 AND number = $2::int8"
                          "   AND state = 'reached' FOR UPDATE",
                          2, migration, number);
}

void pairs_renew(Pairs *pairs, int number)
{
    pthread_mutex_lock(&pairs->mutex);
    if (pairs->summary.count == number) {
        drop(pairs);
    }
    pthread_mutex_unlock(&pairs->mutex);
}
