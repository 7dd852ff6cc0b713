/*
 * A snapshot is a REPEATABLE READ transaction on a session of its own, from which others take it over
 * (pg_export_snapshot); it lives on in each of them when that session is gone. txid_current_snapshot() in there says what it
 * sees. It costs nothing and waits for nobody, except that
 *
 *   - the first ones must be past every transaction that had begun when the slot was made: one whose commit record lies
 *     before the slot's consistent point may not be visible yet (its flush, or a synchronous standby's answer, is
 *     outstanding), and would be neither in the stream nor in the snapshot;
 *   - what it sees has to be on the source's disk before anything of it is on the target's: with synchronous_commit off a
 *     transaction is seen before it is flushed, and a crash of the source would take it back.
 */
#include "snapshots.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "session.h"
#include "slot.h"
#include "snapshot.h"

#define PAUSE_MS 50

struct Snapshots {
    const Copy *copy;
    const atomic_bool *stop;
    pthread_mutex_t mutex;
    Database *target; /* for the state */
    Database *holder; /* has the current one exported; NULL when there is none */
    char exported[64];
    int number; /* of the newest; 0: none was taken by this process */
    bool published;
    bool past_slot; /* known to be past what had begun when the slot was made */
    double made_at;
};

int snapshots_new(const Copy *copy, const atomic_bool *stop, Snapshots **out, Error *error)
{
    Snapshots *snapshots = calloc(1, sizeof(*snapshots));
    if (snapshots == NULL) {
        abort();
    }
    snapshots->copy = copy;
    snapshots->stop = stop;
    snapshots->published = true;
    pthread_mutex_init(&snapshots->mutex, NULL);
    char purpose[96];
    snprintf(purpose, sizeof(purpose), "copy %s", copy->settings->migration);
    if (session_open(copy->settings->target, DATABASE_TARGET, purpose, NULL, &snapshots->target, error) !=
        0) {
        snapshots_free(snapshots);
        return -1;
    }
    /* Whoever is in the way of publishing is waited for by the next tick. */
    if (database_execute(snapshots->target, error, "SET lock_timeout = '1s'", 0) != 0) {
        snapshots_free(snapshots);
        return -1;
    }
    *out = snapshots;
    return 0;
}

static void drop_current(Snapshots *snapshots)
{
    database_close(snapshots->holder);
    snapshots->holder = NULL;
}

void snapshots_free(Snapshots *snapshots)
{
    if (snapshots != NULL) {
        drop_current(snapshots);
        database_close(snapshots->target);
        pthread_mutex_destroy(&snapshots->mutex);
        free(snapshots);
    }
}

static bool is_old(const Snapshots *snapshots)
{
    return snapshots->holder != NULL &&
           clock_seconds() - snapshots->made_at >= snapshots->copy->options->cycle;
}

static int stopped(const Snapshots *snapshots, Error *error)
{
    return interrupted() || (snapshots->stop != NULL && atomic_load(snapshots->stop))
               ? error_set(error, ERROR_INTERRUPTED, "interrupted while a snapshot was taken")
               : 0;
}

/* What a snapshot is, as texts. */
typedef struct Taken {
    char *seen;
    char exported[64];
    char end[LSN_TEXT_SIZE + 8];
} Taken;

static int take(Database *holder, Taken *out, Error *error)
{
    PGresult *row = NULL;
    char *end = NULL;
    if (database_execute(holder, error, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", 0) != 0 ||
        database_query(holder, &row, error,
                       "SELECT pg_catalog.txid_current_snapshot(), pg_catalog.pg_export_snapshot()",
                       0) != 0) {
        return -1;
    }
    free(out->seen);
    out->seen = strdup(PQgetvalue(row, 0, 0));
    snprintf(out->exported, sizeof(out->exported), "%s", PQgetvalue(row, 0, 1));
    PQclear(row);
    /* Read behind the snapshot: every transaction that it sees has its commit record before this. */
    if (database_value(holder, &end, error, "SELECT pg_catalog.pg_current_wal_insert_lsn()", 0) != 0) {
        return -1;
    }
    snprintf(out->end, sizeof(out->end), "%s", end != NULL ? end : "");
    free(end);
    return 0;
}

/* Whether it is past every transaction that had begun when the slot was made. */
static int check_past_slot(Snapshots *snapshots, const Taken *taken, bool *past, Error *error)
{
    char *first = NULL;
    Snapshot snapshot;
    *past = true;
    if (snapshots->past_slot) {
        return 0;
    }
    if (snapshot_parse(taken->seen, LSN_INVALID, &snapshot, error) != 0 ||
        database_value(snapshots->target, &first, error,
                       "SELECT first_xid FROM penstock.migration WHERE name = $1", 1,
                       snapshots->copy->settings->migration) != 0) {
        return -1;
    }
    *past = first == NULL || snapshot_is_past(&snapshot, strtoull(first, NULL, 10));
    snapshots->past_slot = *past;
    snapshot_free(&snapshot);
    free(first);
    return 0;
}

/* Takes snapshots until one is past what had begun when the slot was made: bounded, and says who is waited for. */
static int take_past_slot(Snapshots *snapshots, Database *holder, Taken *taken, Error *error)
{
    double start = clock_seconds();
    SlotWait wait = {.what = "the first snapshot",
                     .timeout_seconds = snapshots->copy->options->slot_timeout,
                     .progress = snapshots->copy->progress};
    for (;;) {
        bool past = false;
        if (take(holder, taken, error) != 0 || check_past_slot(snapshots, taken, &past, error) != 0) {
            return -1;
        }
        if (past) {
            progress_note(snapshots->copy->progress, "%s", "");
            return 0;
        }
        if (database_execute(holder, error, "ROLLBACK", 0) != 0 || stopped(snapshots, error) != 0 ||
            slot_check_wait(holder, &wait, start, error) != 0) {
            return -1;
        }
        clock_pause_ms(PAUSE_MS);
    }
}

/* The WAL writer of an idle server sleeps for up to five seconds (walwriter.c, HIBERNATE_FACTOR); a commit takes all to the disk. */
static int flush(Snapshots *snapshots, Error *error)
{
    Database *source = NULL;
    int status =
        session_open(snapshots->copy->settings->source, DATABASE_SOURCE, "copy flush", NULL, &source, error);
    if (status == 0) {
        status = database_execute(source, error,
                                  "SELECT pg_catalog.pg_logical_emit_message(true, 'penstock', 'flush')", 0);
    }
    database_close(source);
    return status;
}

static int wait_until_flushed(Snapshots *snapshots, Database *holder, const char *end, Error *error)
{
    for (bool asked = false;; asked = true) {
        bool flushed = false;
        if (database_found(holder, &flushed, error,
                           "SELECT 1 WHERE pg_catalog.pg_current_wal_flush_lsn() >= $1::pg_catalog.pg_lsn", 1,
                           end) != 0) {
            return -1;
        }
        if (flushed) {
            return 0;
        }
        if (stopped(snapshots, error) != 0 || (!asked && flush(snapshots, error) != 0)) {
            return -1;
        }
        clock_pause_ms(PAUSE_MS);
    }
}

/* The first of all is published at once: nothing was copied before it. */
static int write_down(Snapshots *snapshots, const Taken *taken, Error *error)
{
    PGresult *row = NULL;
    if (database_query(
            snapshots->target, &row, error,
            "INSERT INTO penstock.snapshot (migration, number, seen, end_lsn, exported, published_at)"
            " SELECT $1, coalesce(max(number), 0) + 1, $2, $3::pg_lsn, $4,"
            "        CASE WHEN count(*) = 0 THEN clock_timestamp() END"
            "   FROM penstock.snapshot WHERE migration = $1"
            " RETURNING number, published_at IS NOT NULL",
            4, snapshots->copy->settings->migration, taken->seen, taken->end, taken->exported) != 0) {
        return error_context(error, "writing down a snapshot");
    }
    snapshots->number = number_int(PQgetvalue(row, 0, 0));
    snapshots->published = PQgetvalue(row, 0, 1)[0] == 't';
    PQclear(row);
    return 0;
}

static int make_current(Snapshots *snapshots, Error *error)
{
    Database *holder = NULL;
    Taken taken = {0};
    int status = session_open(snapshots->copy->settings->source, DATABASE_SOURCE, "copy snapshot", NULL,
                              &holder, error);
    if (status == 0) {
        status = take_past_slot(snapshots, holder, &taken, error);
    }
    if (status == 0) {
        status = wait_until_flushed(snapshots, holder, taken.end, error);
    }
    if (status == 0) {
        status = write_down(snapshots, &taken, error);
    }
    if (status != 0) {
        database_close(holder);
    } else {
        snapshots->holder = holder;
        snapshots->made_at = clock_seconds();
        snprintf(snapshots->exported, sizeof(snapshots->exported), "%s", taken.exported);
    }
    free(taken.seen);
    return status;
}

/* An old one is replaced only once it is published: there are never more than two that somebody copies under. */
static int adopt(Snapshots *snapshots, Database *worker, int *number, Error *error)
{
    if (snapshots->published && is_old(snapshots)) {
        drop_current(snapshots);
    }
    if (snapshots->holder == NULL && make_current(snapshots, error) != 0) {
        return -1;
    }
    char sql[160];
    snprintf(sql, sizeof(sql),
             "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
             snapshots->exported);
    *number = snapshots->number;
    return database_execute(worker, error, sql, 0);
}

int snapshots_adopt(Snapshots *snapshots, Database *worker, int *number, Error *error)
{
    pthread_mutex_lock(&snapshots->mutex);
    int status = adopt(snapshots, worker, number, error);
    pthread_mutex_unlock(&snapshots->mutex);
    return status;
}

bool snapshots_pass(Snapshots *snapshots, int number)
{
    pthread_mutex_lock(&snapshots->mutex);
    bool passed = snapshots->number > number;
    if (!passed && snapshots->published) {
        drop_current(snapshots);
        passed = true;
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return passed;
}

/*
 * The lock is the weakest that keeps FOR UPDATE away, which retiring takes, and lets the row be published. What is read
 * behind it is read under a snapshot of its own, taken when the lock was there.
 */
int snapshots_join(Database *target, const char *migration, int number, bool *open, Error *error)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", number);
    return database_found(
               target, open, error,
               "SELECT 1 FROM penstock.snapshot WHERE migration = $1 AND number = $2::int FOR KEY SHARE", 2,
               migration, text) == 0
               ? database_found(target, open, error,
                                "SELECT 1 FROM penstock.snapshot WHERE migration = $1 AND number = $2::int "
                                "AND NOT retired",
                                2, migration, text)
               : -1;
}

/* When nobody copies under an earlier one any more, then nobody will, and it is published. */
static int try_publish(Snapshots *snapshots, Error *error)
{
    char number[16];
    snprintf(number, sizeof(number), "%d", snapshots->number);
    int status = database_execute(
        snapshots->target, error,
        "WITH free AS MATERIALIZED (SELECT number FROM penstock.snapshot"
        "       WHERE migration = $1 AND number < $2::int AND NOT retired FOR UPDATE NOWAIT),"
        " retired AS (UPDATE penstock.snapshot s SET retired = true, exported = NULL FROM free"
        "       WHERE s.migration = $1 AND s.number = free.number)"
        " UPDATE penstock.snapshot SET published_at = clock_timestamp()"
        "  WHERE migration = $1 AND number = $2::int AND (SELECT count(*) FROM free) >= 0",
        2, snapshots->copy->settings->migration, number);
    if (status == 0) {
        snapshots->published = true;
        return 0;
    }
    if (strcmp(error->sqlstate, "55P03") == 0) {
        *error = (Error){0}; /* somebody copies under an earlier one: the next tick tries again */
        return 0;
    }
    return error_context(error, "publishing a snapshot");
}

int snapshots_tick(Snapshots *snapshots, Error *error)
{
    int status = 0;
    if (pthread_mutex_trylock(&snapshots->mutex) != 0) {
        return 0;
    }
    if (!snapshots->published) {
        status = try_publish(snapshots, error);
    }
    if (snapshots->published && is_old(snapshots)) {
        drop_current(snapshots);
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return status;
}

int snapshots_advance(Snapshots *snapshots, Error *error)
{
    pthread_mutex_lock(&snapshots->mutex);
    int status = 0;
    if (snapshots->published) {
        drop_current(snapshots);
        status = make_current(snapshots, error);
        drop_current(snapshots);
    }
    if (status == 0 && !snapshots->published) {
        status = try_publish(snapshots, error);
    }
    pthread_mutex_unlock(&snapshots->mutex);
    return status;
}

int snapshots_newest(Snapshots *snapshots)
{
    pthread_mutex_lock(&snapshots->mutex);
    int number = snapshots->number;
    pthread_mutex_unlock(&snapshots->mutex);
    return number;
}
