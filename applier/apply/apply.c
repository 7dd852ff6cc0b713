/*
 * How a batch is applied:
 *
 *     BEGIN ─► net effect, lanes ─► Sync ─► every count as expected? ─► COMMIT        two round trips
 *                                    │
 *                                    ├─ transient, and the transaction is this batch's ─► ROLLBACK, pause,
 * again ├─ anything else ─► ROLLBACK, once more change by change ─► COMMIT │ └─ fails: that change's error └─
 * connection lost, or told to stop ─► error
 *
 * Where an earlier batch left its transaction open, a savepoint takes the place of BEGIN; and since the whole
 * transaction cannot be repeated from here, transient errors end the worker.
 *
 * A transaction under session_replication_role = replica does not check foreign keys, so the order between
 * relations is free; that between the changes of one relation is reduce.c's matter.
 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "conflict.h"
#include "row_statement.h"

#define MAX_TRIES 10
#define FIRST_PAUSE 10 /* milliseconds; doubled each time */

static void queue_begin(Applying *a)
{
    session_command(a->session, a->open ? "SAVEPOINT batch" : "BEGIN");
}

static void queue_truncate(Applying *a, const Batch *batch)
{
    char *sql = statement_truncate_sql(batch->truncated, batch->truncate->relation_count,
                                       batch->truncate->restart_identity);
    if (sql != NULL) {
        session_command(a->session, sql);
        free(sql);
    }
}

static int queue_changes(Applying *a, const Change *const *changes, size_t count, const Change **failed,
                         Error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (rows_queue_change(a->session, a->arena, changes[i], error) != 0) {
            *failed = changes[i];
            return -1;
        }
    }
    return 0;
}

static int queue_reduced(Applying *a, Batch *batch, const Change **failed, Error *error)
{
    batch->reduced = 0;
    for (const Segment *s = reduce(a->arena, batch->changes, batch->count); s != NULL; s = s->next) {
        if (!s->by_rows) {
            batch->reduced += rows_queue_net(a->session, a->arena, s);
            continue;
        }
        batch->reduced += s->change_count;
        if (queue_changes(a, s->changes, s->change_count, failed, error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int queue_one_by_one(Applying *a, Batch *batch, const Change **failed, Error *error)
{
    batch->by_rows = true;
    batch->reduced = batch->count;
    for (size_t i = 0; i < batch->count; i++) {
        const Change *change = &batch->changes[i];
        if (queue_changes(a, &change, 1, failed, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Sends the batch's work and checks it, without ending the transaction. */
static int run(Applying *a, Batch *batch, bool by_rows, Failure *failure)
{
    const Change *unclear = NULL; /* a change that cannot even be sent */
    Error error = {0};
    int queued = 0;
    queue_begin(a);
    if (batch->kind == BATCH_TRUNCATE) {
        queue_truncate(a, batch);
    } else if (batch->kind == BATCH_ROWS) {
        queued = by_rows ? queue_one_by_one(a, batch, &unclear, &error)
                         : queue_reduced(a, batch, &unclear, &error);
    }
    session_lanes(a->session, a->migration, batch->lanes, batch->lane_count, batch->last);
    if (session_finish(a->session, failure) != 0) {
        return -1; /* of a change before the unclear one, or of all */
    }
    if (queued != 0) {
        *failure = (Failure){.subject = unclear, .error = error};
        return -1;
    }
    return 0;
}

/* Takes back what run did; the connection then is where it was before. */
static int undo(Applying *a, Error *error)
{
    Failure failure;
    if (a->open) {
        session_command(a->session, "ROLLBACK TO SAVEPOINT batch");
        session_command(a->session, "RELEASE SAVEPOINT batch");
    } else {
        session_command(a->session, "ROLLBACK");
    }
    if (session_finish(a->session, &failure) != 0) {
        *error = failure.error;
        return -1;
    }
    return 0;
}

/* Makes the batch's work durable, or leaves it to the batch that commits. */
static int conclude(Applying *a, const Batch *batch, Error *error)
{
    Failure failure;
    if (!batch->commits && !a->open) {
        a->open = true;
        return 0;
    }
    session_command(a->session, batch->commits ? "COMMIT" : "RELEASE SAVEPOINT batch");
    if (session_finish(a->session, &failure) != 0) {
        *error = failure.error;
        return error_context(error, batch->commits ? "commit" : "release of a savepoint");
    }
    a->open = !batch->commits;
    return 0;
}

/* The error that ends the batch. The transaction is rolled back already. */
static int give_up(Applying *a, const Batch *batch, bool by_rows, const Failure *failure, Error *error)
{
    const Change *change = by_rows ? failure->subject : NULL;
    *error = failure->error;
    if (change != NULL) {
        if (failure->miscounted) {
            conflict_miscounted(change, failure->rows, error);
        }
        conflict_explain(a->session, change, error);
        return -1;
    }
    char lsn[LSN_TEXT_SIZE];
    lsn_format(batch->last.commit_lsn, lsn);
    if (failure->miscounted) {
        error_set(error, ERROR_STATE,
                  "the lanes of this migration are not as they were when the applier started");
        return error_hint(
            error, "has `penstock finish` or a new `penstock copy` run meanwhile? Look at penstock.lane");
    }
    if (batch->kind == BATCH_TRUNCATE && strcmp(error->sqlstate, "0A000") == 0) {
        error_hint(error,
                   "a table that is not part of the truncate refers to one that is: drop that foreign key on "
                   "the target until the cutover, or empty the tables by hand, and start again");
    }
    return error_context(error, "%s at %s", batch->kind == BATCH_TRUNCATE ? "truncate" : "batch", lsn);
}

typedef enum Verdict { STOP, AGAIN, BY_ROWS } Verdict;

static Verdict judge(const Applying *a, const Batch *batch, bool by_rows, int tries, const Failure *failure)
{
    if (!failure->miscounted) {
        if (error_is_retryable(&failure->error)) {
            return a->open || tries >= MAX_TRIES || failure->error.code == ERROR_CONNECTION ? STOP : AGAIN;
        }
    } else if (failure->subject == NULL) {
        return STOP;
    }
    return by_rows || batch->kind != BATCH_ROWS ? STOP : BY_ROWS;
}

static int pause_before_again(Applying *a, const Batch *batch, int tries, const Error *cause, Error *error)
{
    log_line(a->log, LOG_WARNING, "batch %llu: %s; trying again", (unsigned long long)batch->id,
             cause->message);
    if (!a->pause(a->context, FIRST_PAUSE << tries)) {
        return error_set(error, ERROR_INTERRUPTED, "stopped while waiting to try a batch again");
    }
    return 0;
}

static int run_until_done(Applying *a, Batch *batch, Error *error)
{
    bool by_rows = false;
    for (int tries = 0;; tries++) {
        Failure failure;
        arena_reset(a->arena);
        if (run(a, batch, by_rows, &failure) == 0) {
            return 0;
        }
        if (!failure.miscounted && strcmp(failure.error.sqlstate, "57014") == 0) {
            failure.error.code = ERROR_TRANSIENT; /* somebody cancelled the statement */
        }
        Verdict verdict = judge(a, batch, by_rows, tries, &failure);
        if (!failure.miscounted && failure.error.code == ERROR_CONNECTION) {
            *error = failure.error;
            return -1;
        }
        if (undo(a, error) != 0) {
            return -1;
        }
        if (verdict == STOP) {
            return give_up(a, batch, by_rows, &failure, error);
        }
        if (verdict == AGAIN && pause_before_again(a, batch, tries, &failure.error, error) != 0) {
            return -1;
        }
        by_rows = by_rows || verdict == BY_ROWS;
    }
}

int apply_batch(Applying *applying, Batch *batch, Error *error)
{
    if (batch->kind == BATCH_EMPTY && batch->lane_count == 0 && !applying->open) {
        return 0;
    }
    uint64_t before = session_statements(applying->session);
    if (run_until_done(applying, batch, error) != 0 || conclude(applying, batch, error) != 0) {
        return -1;
    }
    batch->statements = session_statements(applying->session) - before;
    return 0;
}
