/*
 * A snapshot is a REPEATABLE READ transaction on a session of its own, from which others take it over
 * (pg_export_snapshot); it lives on in each of them when that session is gone. txid_current_snapshot() in there says what it
 * sees. It costs nothing and waits for nobody, except that
 *
 *   - the first ones must be past every transaction that had begun when the slot was made (past_slot.h);
 *   - what it sees has to be on the source's disk before anything of it is on the target's: with synchronous_commit off a
 *     transaction is seen before it is flushed, and a crash of the source would take it back.
 */
#include "snapshots.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "exported.h"
#include "jobs.h"
#include "lsn.h"
#include "number.h"
#include "past_slot.h"
#include "running.h"
#include "session.h"
#include "setback.h"
#include "standby.h"

#define PAUSE_MS 50
#define SERVER_SIZE 64
#define MOST_TAKES 10 /* on a standby whose replay cancels them */
#define FLUSH_MS 10   /* a commit that others are at is on disk by then, as a rule */

struct Snapshots {
    const Copy *copy;
    const atomic_bool *stop;
    pthread_mutex_t mutex;
    bool joined;      /* another process takes them */
    Database *target; /* for the state */
    Database *holder; /* has the current one exported; NULL when there is none */
    char exported[EXPORTED_SIZE];
    char server[SERVER_SIZE]; /* of a process that copies along: where it reads */
    int number;               /* of the newest; 0: none was taken by this process */
    bool published;
    bool past_slot; /* known to be past what had begun when the slot was made */
    double made_at;
};

/*
 * An earlier run has read on a standby, where a transaction is seen once its commit is in the WAL; at the source it may still
 * wait, for a synchronous standby, say. The first snapshot of the source's must be past all that had begun by now.
 */
static int be_past_standby(Snapshots *snapshots, Error *error)
{
    bool standby = false;
    char *next = NULL;
    if (database_found(
            snapshots->target, &standby, error,
            "SELECT 1 FROM (SELECT seen FROM penstock.snapshot WHERE migration = $1 ORDER BY number DESC"
            "  LIMIT 1) s WHERE s.seen IS NULL",
            1, snapshots->copy->settings->migration) != 0) {
        return -1;
    }
    if (!standby) {
        return 0;
    }
    int status =
        database_value(snapshots->copy->source, &next, error,
                       "SELECT pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())", 0);
    if (status == 0) {
        status = database_execute(snapshots->target, error,
                                  "UPDATE penstock.migration SET first_xid = $2::int8 WHERE name = $1", 2,
                                  snapshots->copy->settings->migration, next);
    }
    free(next);
    return status;
}

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
    return copy->options->read_from == NULL ? be_past_standby(snapshots, error) : 0;
}

int snapshots_new_joined(const Copy *copy, const atomic_bool *stop, Snapshots **out, Error *error)
{
    if (snapshots_new(copy, stop, out, error) != 0) {
        return -1;
    }
    (*out)->joined = true;
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
    const SessionWait wait = {.stop = snapshots->stop, .what = "a snapshot was taken"};
    return session_stopped(&wait, error);
}

/* What a snapshot is, as texts. */
typedef struct Taken {
    char *seen; /* NULL: of a standby */
    char exported[EXPORTED_SIZE];
    char server[SERVER_SIZE];
    char end[LSN_TEXT_SIZE + 8];
} Taken;

/* Names of exported snapshots mean something to one server alone, and another one may have the same. */
static int ask_server(Database *database, char out[SERVER_SIZE], Error *error)
{
    char *server = NULL;
    if (database_value(database, &server, error,
                       "SELECT pg_catalog.concat(pg_catalog.pg_is_in_recovery(), ' ',"
                       "   pg_catalog.date_part('epoch', pg_catalog.pg_postmaster_start_time()))",
                       0) != 0) {
        return -1;
    }
    snprintf(out, SERVER_SIZE, "%s", server != NULL ? server : "");
    free(server);
    return 0;
}

/* Past every transaction that had begun when the slot was made. */
static int take_past_slot(Snapshots *snapshots, Database *holder, Taken *taken, Error *error)
{
    char *end = NULL;
    const PastSlot wanted = {.copy = snapshots->copy,
                             .target = snapshots->target,
                             .what = "the first snapshot",
                             .stop = snapshots->stop,
                             .known = snapshots->past_slot};
    if (past_slot_take(&wanted, holder, taken->exported, &taken->seen, error) != 0) {
        return -1;
    }
    snapshots->past_slot = true;
    /* Read behind the snapshot: every transaction that it sees has its commit record before this. */
    if (database_value(holder, &end, error, "SELECT pg_catalog.pg_current_wal_insert_lsn()", 0) != 0) {
        return -1;
    }
    snprintf(taken->end, sizeof(taken->end), "%s", end != NULL ? end : "");
    free(end);
    return 0;
}

static const char flushed_sql[] =
    "SELECT 1 WHERE $1::pg_catalog.pg_lsn OPERATOR(pg_catalog.<=) pg_catalog.pg_current_wal_flush_lsn()";

/*
 * What reading has written (a page that was pruned, say) nobody flushes until the next commit, which on an idle source may be a
 * quarter of a minute away: one of our own, then.
 */
static int commit_something(const Snapshots *snapshots, Error *error)
{
    Database *source = NULL;
    int status =
        session_open(snapshots->copy->settings->source, DATABASE_SOURCE, "copy", NULL, &source, error);
    if (status == 0) {
        status = database_execute(source, error,
                                  "SET synchronous_commit = local;"
                                  "SELECT pg_catalog.pg_logical_emit_message(true, 'penstock', 'flush')",
                                  0);
    }
    database_close(source);
    return status;
}

static int wait_until_flushed(Snapshots *snapshots, Database *holder, const char *end, Error *error)
{
    double start = clock_seconds();
    Lsn until;
    char text[LSN_TEXT_SIZE];
    if (!lsn_parse(end, &until)) {
        return error_set(error, ERROR_STATE, "\"%s\" is no position of the WAL", end);
    }
    lsn_format(lsn_end_before(until),
               text); /* the page's header comes with the next record, if ever one comes */
    for (int looks = 0;; looks++) {
        bool flushed = false;
        if (database_found(holder, &flushed, error, flushed_sql, 1, text) != 0) {
            return -1;
        }
        if (flushed) {
            return 0;
        }
        if (stopped(snapshots, error) != 0 || (looks == 1 && commit_something(snapshots, error) != 0)) {
            return -1;
        }
        if (clock_seconds() - start > snapshots->copy->options->stall_timeout) {
            return error_set(error, ERROR_LIMIT,
                             "the source has not written its WAL to disk up to %s in %d s", end,
                             snapshots->copy->options->stall_timeout);
        }
        clock_pause_ms(looks == 0 ? FLUSH_MS : PAUSE_MS);
    }
}

/* The first of all is published at once: nothing was copied before it. */
static int write_down(Snapshots *snapshots, const Taken *taken, Error *error)
{
    PGresult *row = NULL;
    if (database_query(snapshots->target, &row, error,
                       "INSERT INTO penstock.snapshot (migration, number, seen, end_lsn, exported, "
                       "exported_by, published_at)"
                       " SELECT $1, coalesce(max(number), 0) + 1, $2, $3::pg_lsn, $4, $5,"
                       "        CASE WHEN count(*) = 0 THEN clock_timestamp() END"
                       "   FROM penstock.snapshot WHERE migration = $1"
                       " RETURNING number, published_at IS NOT NULL",
                       5, snapshots->copy->settings->migration, taken->seen, taken->end, taken->exported,
                       taken->server) != 0) {
        return error_context(error, "writing down a snapshot");
    }
    snapshots->number = number_int(PQgetvalue(row, 0, 0));
    snapshots->published = PQgetvalue(row, 0, 1)[0] == 't';
    PQclear(row);
    return 0;
}

/* Each is to see what all before it see: one of a standby, what is behind the last one's end. */
static int least_replayed(Snapshots *snapshots, Lsn *out, Error *error)
{
    char *least = NULL;
    if (database_value(
            snapshots->target, &least, error,
            "SELECT greatest(m.slot_lsn, (SELECT max(end_lsn) FROM penstock.snapshot WHERE migration = $1))"
            "  FROM penstock.migration m WHERE m.name = $1",
            1, snapshots->copy->settings->migration) != 0) {
        return -1;
    }
    int status = least != NULL && lsn_parse(least, out)
                     ? 0
                     : error_set(error, ERROR_STATE, "the position of the slot is not known");
    free(least);
    return status;
}

static int take_on_standby(Snapshots *snapshots, Database *holder, Taken *taken, Error *error)
{
    Lsn least = LSN_INVALID, end = LSN_INVALID;
    if (least_replayed(snapshots, &least, error) != 0 ||
        standby_take(snapshots->copy, snapshots->target, holder, least, taken->exported, &end, error) != 0) {
        return -1;
    }
    lsn_format(end, taken->end);
    progress_note(snapshots->copy->progress, "%s", "");
    return 0;
}

static int take_at_source(Snapshots *snapshots, Database *holder, Taken *taken, Error *error)
{
    return take_past_slot(snapshots, holder, taken, error) == 0
               ? wait_until_flushed(snapshots, holder, taken->end, error)
               : -1;
}

static int take_new(Snapshots *snapshots, Error *error)
{
    Database *holder = NULL;
    Taken taken = {0};
    int status =
        session_open(standby_uri(snapshots->copy), DATABASE_SOURCE, "copy snapshot", NULL, &holder, error);
    if (status == 0) {
        status = (snapshots->copy->options->read_from != NULL ? take_on_standby : take_at_source)(
            snapshots, holder, &taken, error);
    }
    if (status == 0) {
        status = ask_server(holder, taken.server, error);
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

/* A standby's replay cancels who is in its way, or ends the session where that is in a transaction and says nothing. */
static bool was_cancelled(const Snapshots *snapshots, const Error *error)
{
    return snapshots->copy->options->read_from != NULL && !interrupted() &&
           (setback_of(error) == SETBACK_RECOVERY || error->code == ERROR_CONNECTION);
}

static int make_current(Snapshots *snapshots, Error *error)
{
    /* Before it is taken: when the stream has come to the snapshot, it has passed the record. */
    if (snapshots->number > 0 && snapshots->copy->options->cycle < RUNNING_SHORT_CYCLE) {
        running_note(snapshots->copy);
    }
    int status = take_new(snapshots, error);
    for (int tries = 1; status != 0 && tries < MOST_TAKES && was_cancelled(snapshots, error); tries++) {
        *error = (Error){0};
        clock_pause_ms(PAUSE_MS);
        status = take_new(snapshots, error);
    }
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
    *number = snapshots->number;
    if (exported_adopt(worker, snapshots->exported, error) == 0) {
        return 0;
    }
    if (!exported_is_gone(error) || database_execute(worker, error, "ROLLBACK", 0) != 0) {
        return -1;
    }
    /* The session that had it exported was ended: a standby's, by replay. */
    drop_current(snapshots);
    *error = (Error){0};
    if (make_current(snapshots, error) != 0) {
        return -1;
    }
    *number = snapshots->number;
    return exported_adopt(worker, snapshots->exported, error);
}

/* The newest that is exported, as far as its row says. */
static int find_exported(Snapshots *snapshots, Error *error)
{
    PGresult *row = NULL;
    if (database_query(snapshots->target, &row, error,
                       "SELECT number, exported FROM penstock.snapshot WHERE migration = $1 AND NOT retired"
                       "   AND exported IS NOT NULL AND exported_by = $2 ORDER BY number DESC LIMIT 1",
                       2, snapshots->copy->settings->migration, snapshots->server) != 0) {
        return error_context(error, "looking for a snapshot to copy under");
    }
    bool found = PQntuples(row) == 1;
    snapshots->number = found ? number_int(PQgetvalue(row, 0, 0)) : 0;
    snprintf(snapshots->exported, sizeof snapshots->exported, "%s", found ? PQgetvalue(row, 0, 1) : "");
    PQclear(row);
    return 0;
}

/* Who took them has done the last job by itself, and is gone: *number is 0 then. */
static int adopt_joined(Snapshots *snapshots, Database *worker, int *number, Error *error)
{
    double start = clock_seconds();
    int64_t left = 0;
    int limit = snapshots->copy->options->stall_timeout;
    if (snapshots->server[0] == '\0' && ask_server(worker, snapshots->server, error) != 0) {
        return -1;
    }
    while (stopped(snapshots, error) == 0) {
        if (find_exported(snapshots, error) != 0) {
            return -1;
        }
        *number = snapshots->number;
        if (*number > 0) {
            if (exported_adopt(worker, snapshots->exported, error) == 0) {
                return 0;
            }
            if (!exported_is_gone(error) || database_execute(worker, error, "ROLLBACK", 0) != 0) {
                return -1;
            }
            *error = (Error){0};
        }
        if (jobs_left(snapshots->target, snapshots->copy->settings->migration, &left, error) != 0) {
            return -1;
        }
        if (left == 0) {
            *number = 0;
            return 0;
        }
        if (clock_seconds() - start > limit) {
            error_set(error, ERROR_LIMIT, "nobody has taken a snapshot to copy under for %d s", limit);
            return error_hint(error, "penstock copy without --join does, on the server that it reads from: "
                                     "--source, or --read-from, must lead to "
                                     "the same");
        }
        clock_pause_ms(PAUSE_MS * 4);
    }
    return -1;
}

int snapshots_adopt(Snapshots *snapshots, Database *worker, int *number, Error *error)
{
    pthread_mutex_lock(&snapshots->mutex);
    int status = snapshots->joined ? adopt_joined(snapshots, worker, number, error)
                                   : adopt(snapshots, worker, number, error);
    pthread_mutex_unlock(&snapshots->mutex);
    return status;
}

static int ask_for_later(Snapshots *snapshots, int number, Error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return database_execute(snapshots->target, error,
                            "UPDATE penstock.snapshot SET wanted_later = true"
                            " WHERE migration = $1 AND number = $2::int AND NOT wanted_later",
                            2, snapshots->copy->settings->migration, text);
}

bool snapshots_pass(Snapshots *snapshots, int number)
{
    Error ignored;
    pthread_mutex_lock(&snapshots->mutex);
    if (snapshots->joined) {
        bool later = ask_for_later(snapshots, number, &ignored) != 0 ||
                     find_exported(snapshots, &ignored) != 0 || snapshots->number > number;
        pthread_mutex_unlock(&snapshots->mutex);
        return later;
    }
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

int snapshots_offer(Snapshots *snapshots, Error *error)
{
    int status = 0;
    if (pthread_mutex_trylock(&snapshots->mutex) != 0) {
        return 0;
    }
    bool wanted = false;
    char number[16];
    snprintf(number, sizeof number, "%d", snapshots->number);
    status = database_found(
        snapshots->target, &wanted, error,
        "SELECT 1 FROM penstock.snapshot WHERE migration = $1 AND number = $2::int AND wanted_later", 2,
        snapshots->copy->settings->migration, number);
    if (snapshots->published && (wanted || is_old(snapshots))) {
        drop_current(snapshots);
    }
    if (status == 0 && snapshots->holder == NULL) {
        status = make_current(snapshots, error);
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
