/*
 * How a batch is applied:
 *
 *     BEGIN ─► net effect, lanes ─► Sync ─► COPY … ─► every count as expected? ─yes─► COMMIT       two round trips without COPY
 *       ▲                                             │no
 *       │                                             ▼
 *       ├── pause ◄─── ROLLBACK ◄─── transient, COMMIT included, and the transaction is this batch's alone
 *       │                                             │
 *       ├── once more, with the changes of the relation that failed one by one ◄── ROLLBACK
 *       │                                             │
 *       │                                             ├ they were one by one: the error of that one change, unless the
 *       │                                             │ relation has a policy for what does not fit (careful.c)
 *       │                                             └ connection lost, or told to stop: error
 *
 * Only the relation whose statement failed is applied by rows then; the others of the batch stay sets. Each relation
 * fails at most once, so the number of tries is bounded by that of the relations in the batch. A relation that does so
 * batch after batch goes by rows at once for a while (fallback.h).
 *
 * Long runs of inserts go by COPY, which costs less for each row and more for each run. libpq's pipeline cannot carry
 * it, so these runs wait until everything else of the batch is done and checked: two round trips more for each, and all
 * that was said about failures holds for them too. Since what comes later in a relation must not be overtaken, only its
 * last segment in the batch can wait.
 *
 * Where an earlier batch left its transaction open, a savepoint takes the place of BEGIN; and since the whole
 * transaction cannot be repeated from here, transient errors end the worker.
 *
 * A transaction under session_replication_role = replica does not check foreign keys, so the order between relations
 * is free, but for those whose rows go through one table (ApplyRelation.route); that between the changes of one relation is
 * reduce.c's matter. Constraints that the target can defer are deferred, because the source may have done so.
 */
#include "apply.h"

#include <stdlib.h>
#include <string.h>

#include "careful.h"
#include "clock.h"
#include "conflict.h"
#include "record.h"
#include "row_statement.h"
#include "state.h"

#define MAX_TRIES 10
#define FIRST_PAUSE 10 /* milliseconds; doubled each time */

/* The relations of a batch whose changes are applied one by one. */
typedef struct ByRows {
    const Fallbacks *known; /* from earlier batches */
    const ApplyRelation **relations;
    size_t count;
    bool all; /* what failed was not the statement of any relation */
} ByRows;

static bool by_rows_has(const ByRows *by_rows, const ApplyRelation *relation)
{
    if (by_rows->all || fallbacks_pausing(by_rows->known, relation)) {
        return true;
    }
    for (size_t i = 0; i < by_rows->count; i++) {
        if (by_rows->relations[i] == relation) {
            return true;
        }
    }
    return false;
}

static void by_rows_add(ByRows *by_rows, const ApplyRelation *relation)
{
    if (relation == NULL) {
        by_rows->all = true;
        return;
    }
    by_rows->relations = reallocarray(by_rows->relations, by_rows->count + 1, sizeof(*by_rows->relations));
    if (by_rows->relations == NULL) {
        abort();
    }
    by_rows->relations[by_rows->count++] = relation;
}

static const Settled left_out = {
    .problem = "transaction skipped", .sqlstate = "", .message = "", .action = "skipped"};

static void queue_truncate(Applying *a, Batch *batch)
{
    if (policies_skip_truncate(a->policies, batch)) {
        record_truncate(a->session, a->arena, a->migration, batch, &left_out);
        batch->conflicts++;
        return;
    }
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

/* The changes of relation, in source order. */
static int queue_relation(Applying *a, Batch *batch, const ApplyRelation *relation, const Change **failed,
                          Error *error)
{
    for (size_t i = 0; i < batch->count; i++) {
        const Change *change = &batch->changes[i];
        if (change->relation != relation || policies_skip_change(a->policies, change)) {
            continue;
        }
        if (queue_changes(a, &change, 1, failed, error) != 0) {
            return -1;
        }
        batch->reduced++;
    }
    return 0;
}

/* The changes that are to be applied; those of the transaction to leave out are recorded instead. */
static const Change *select_changes(Applying *a, Batch *batch, size_t *count)
{
    Change *kept = NULL;
    *count = batch->count;
    for (size_t i = 0; i < batch->count && a->policies->skip_lsn != LSN_INVALID; i++) {
        const Change *change = &batch->changes[i];
        bool skip = policies_skip_change(a->policies, change);
        if (skip && kept == NULL) {
            kept = arena_alloc(a->arena, sizeof *kept * batch->count);
            memcpy(kept, batch->changes, sizeof *kept * i);
            *count = i;
        }
        if (skip) {
            record_change(a->session, a->arena, a->migration, change, &left_out);
            batch->conflicts++;
        } else if (kept != NULL) {
            kept[(*count)++] = *change;
        }
    }
    return kept != NULL ? kept : batch->changes;
}

/* What became of queueing: UNSENDABLE and FAILED fill a failure, which of an unsendable change comes last of all. */
typedef enum Queued { QUEUED, UNSENDABLE, FAILED } Queued;

static Queued sendable(int status, const Change *change, const Error *error, Failure *failure)
{
    if (status == 0) {
        return QUEUED;
    }
    *failure = (Failure){.relation = change->relation, .change = change, .error = *error};
    return UNSENDABLE;
}

/* The changes of a relation whose statement failed before. */
static Queued queue_again(Applying *a, Batch *batch, const ApplyRelation *relation, Failure *failure)
{
    const Change *unclear = NULL;
    Error error;
    if (policies_of(a->policies, relation) != POLICY_STOP) {
        return careful_apply(a, batch, relation, failure) == 0 ? QUEUED : FAILED;
    }
    int status = queue_relation(a, batch, relation, &unclear, &error);
    return sendable(status, unclear, &error, failure);
}

/* True when the inserts of a segment are many, and may come last of all. */
static bool goes_by_copy(const Applying *a, const Segment *segment)
{
    bool last = segment->next == NULL || segment->next->relation != segment->relation;
    return segment->relation->copyable && segment->insert_count >= a->copy_rows && last;
}

/* Queues the net effect of a segment; inserts that go by COPY become a segment of copies instead. */
static void queue_net(Applying *a, Batch *batch, const Segment *segment, Segment **copies)
{
    Segment now = *segment;
    if (goes_by_copy(a, segment)) {
        Segment *later = arena_alloc(a->arena, sizeof *later);
        *later = (Segment){.next = *copies,
                           .relation = segment->relation,
                           .inserts = segment->inserts,
                           .insert_count = segment->insert_count};
        *copies = later;
        now.insert_count = 0;
        batch->reduced += later->insert_count;
    }
    batch->reduced += rows_queue_net(a->session, a->arena, &now);
}

static Queued queue_segment(Applying *a, Batch *batch, const Segment *segment, Segment **copies,
                            Failure *failure)
{
    const Change *unclear = NULL;
    Error error;
    if (!segment->by_rows) {
        queue_net(a, batch, segment, copies);
        return QUEUED;
    }
    batch->reduced += segment->change_count;
    int status = queue_changes(a, segment->changes, segment->change_count, &unclear, &error);
    return sendable(status, unclear, &error, failure);
}

/*
 * Rows of several relations that go through one table on the target are rows of that table: a row that moves from one to the
 * other is deleted and inserted, and the order between the two is not free. Unless a policy settles what does not fit.
 */
static bool goes_in_order(const Applying *a, const ByRows *by_rows, const ApplyRelation *relation)
{
    return relation->route != NULL &&
           (policies_of(a->policies, relation) == POLICY_STOP || !by_rows_has(by_rows, relation));
}

/* Queues those in the source's order, one by one; *rest are the others. */
static Queued queue_in_order(Applying *a, Batch *batch, const ByRows *by_rows, const Change **rest,
                             size_t *count, Failure *failure)
{
    Error error;
    size_t left = 0;
    Change *others = NULL;
    for (size_t i = 0; i < *count; i++) {
        const Change *change = &(*rest)[i];
        if (goes_in_order(a, by_rows, change->relation)) {
            if (others == NULL) {
                others = arena_alloc(a->arena, sizeof *others * *count);
                memcpy(others, *rest, sizeof *others * i);
                left = i;
            }
            if (rows_queue_change(a->session, a->arena, change, &error) != 0) {
                return sendable(-1, change, &error, failure);
            }
            batch->reduced++;
        } else if (others != NULL) {
            others[left++] = *change;
        }
    }
    *rest = others != NULL ? others : *rest;
    *count = others != NULL ? left : *count;
    return QUEUED;
}

static Queued queue_rows(Applying *a, Batch *batch, const ByRows *by_rows, Segment **copies, Failure *failure)
{
    size_t count;
    const Change *changes = select_changes(a, batch, &count);
    Queued ordered = queue_in_order(a, batch, by_rows, &changes, &count, failure);
    if (ordered != QUEUED) {
        return ordered;
    }
    const ApplyRelation *done = NULL; /* the segments of one relation stand together */
    for (const Segment *s = reduce(a->arena, changes, count); s != NULL; s = s->next) {
        Queued queued = QUEUED;
        if (!by_rows_has(by_rows, s->relation)) {
            queued = queue_segment(a, batch, s, copies, failure);
        } else if (s->relation != done) {
            queued = queue_again(a, batch, s->relation, failure);
            done = s->relation;
        }
        if (queued != QUEUED) {
            return queued;
        }
    }
    return QUEUED;
}

static int run_copies(Applying *a, Batch *batch, const Segment *copies, Failure *failure)
{
    for (const Segment *s = copies; s != NULL; s = s->next) {
        CopyData data = copy_data(a->arena, s->relation, s->inserts, s->insert_count);
        if (session_copy(a->session, &data, failure) != 0) {
            return -1;
        }
        batch->copies++;
    }
    return 0;
}

/* Sends the batch's work and checks it, without ending the transaction. */
static int run(Applying *a, Batch *batch, const ByRows *by_rows, Failure *failure)
{
    Queued queued = QUEUED;
    Failure queueing;
    Segment *copies = NULL;
    batch->reduced = batch->conflicts = batch->copies = 0;
    session_command(a->session, a->open ? "SAVEPOINT batch" : "BEGIN");
    if (batch->kind == BATCH_TRUNCATE) {
        queue_truncate(a, batch);
    } else if (batch->kind == BATCH_ROWS) {
        queued = queue_rows(a, batch, by_rows, &copies, &queueing);
    }
    session_lanes(a->session, a->migration, a->epoch, batch);
    if (session_finish(a->session, failure) != 0 && queued != FAILED) {
        return -1; /* of a change before the unsendable one, or of all */
    }
    if (queued != QUEUED) {
        *failure = queueing;
        return -1;
    }
    return run_copies(a, batch, copies, failure);
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

/*
 * Makes the batch's work durable, or leaves it to the batch that commits. What is refused at the commit, as a serialization
 * failure or a deferred trigger may be, has ended the transaction as an error before it does.
 */
static int conclude(Applying *a, const Batch *batch, Failure *failure)
{
    if (!batch->commits && !a->open) {
        a->open = true;
        return 0;
    }
    session_command(a->session, batch->commits ? "COMMIT" : "RELEASE SAVEPOINT batch");
    if (session_finish(a->session, failure) != 0) {
        return error_context(&failure->error, batch->commits ? "commit" : "release of a savepoint");
    }
    a->open = !batch->commits;
    return 0;
}

/* The error that ends the batch. The transaction is rolled back already. */
static int give_up(Applying *a, const Batch *batch, const Failure *failure, Error *error)
{
    const Change *change = failure->change;
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
    error->lsn = batch->kind == BATCH_TRUNCATE ? batch->last.commit_lsn : LSN_INVALID;
    if (failure->miscounted) {
        return state_lanes_lost(error);
    }
    if (batch->kind == BATCH_TRUNCATE && strcmp(error->sqlstate, "0A000") == 0) {
        error_hint(error,
                   "a table that is not part of the truncate refers to one that is: drop that foreign key on "
                   "the target until the cutover, or empty the tables by hand, and start again");
    }
    return error_context(error, "%s at %s", batch->kind == BATCH_TRUNCATE ? "truncate" : "batch", lsn);
}

typedef enum Verdict { STOP, AGAIN, BY_ROWS } Verdict;

static Verdict judge(const Applying *a, const Batch *batch, const ByRows *by_rows, uint64_t retries,
                     const Failure *failure)
{
    if (!failure->miscounted) {
        if (strcmp(failure->error.sqlstate, "53200") == 0) {
            return STOP; /* no lock left, or no memory: the same batch needs as much again; smaller ones are made */
        }
        if (error_is_retryable(&failure->error)) {
            return a->open || retries >= MAX_TRIES || failure->error.code == ERROR_CONNECTION ? STOP : AGAIN;
        }
    } else if (failure->relation == NULL) {
        return STOP;
    }
    bool tried = by_rows->all || (failure->relation != NULL && by_rows_has(by_rows, failure->relation));
    return tried || batch->kind != BATCH_ROWS ? STOP : BY_ROWS;
}

static int pause_before_again(Applying *a, Batch *batch, const Error *cause, Error *error)
{
    log_handled(a->log, cause, "trying again with batch %llu", (unsigned long long)batch->id);
    if (!a->pause(a->context, FIRST_PAUSE << batch->retries++)) {
        return error_set(error, ERROR_INTERRUPTED, "stopped while waiting to try a batch again");
    }
    return 0;
}

/* One attempt; *verdict says what to do when it failed, with the transaction still to be undone, if it has not ended. */
static int attempt(Applying *a, Batch *batch, const ByRows *by_rows, Failure *failure, Verdict *verdict)
{
    arena_reset(a->arena);
    bool ran = run(a, batch, by_rows, failure) == 0;
    if (ran && conclude(a, batch, failure) == 0) {
        return 0;
    }
    if (!failure->miscounted && strcmp(failure->error.sqlstate, "57014") == 0) {
        failure->error.code = ERROR_TRANSIENT; /* somebody cancelled the statement */
    }
    *verdict = judge(a, batch, by_rows, batch->retries, failure);
    a->open = a->open && !ran; /* a commit that fails ends all of the transaction, earlier batches too */
    return -1;
}

static int try_until_done(Applying *a, Batch *batch, ByRows *by_rows, Error *error)
{
    for (;;) {
        Failure failure;
        Verdict verdict;
        if (attempt(a, batch, by_rows, &failure, &verdict) == 0) {
            return 0;
        }
        if (!failure.miscounted && failure.error.code == ERROR_CONNECTION) {
            *error = failure.error;
            return -1;
        }
        if (undo(a, error) != 0) {
            return -1;
        }
        if (verdict == STOP) {
            return give_up(a, batch, &failure, error);
        }
        if (verdict == AGAIN && pause_before_again(a, batch, &failure.error, error) != 0) {
            return -1;
        }
        if (verdict == BY_ROWS) {
            by_rows_add(by_rows, failure.relation);
            if (failure.relation != NULL) {
                fallbacks_failed(&a->fallbacks, failure.relation);
            }
            batch->by_rows++;
        }
    }
}

static int run_until_done(Applying *a, Batch *batch, Error *error)
{
    ByRows by_rows = {.known = &a->fallbacks};
    fallbacks_begin(&a->fallbacks);
    int status = try_until_done(a, batch, &by_rows, error);
    free(by_rows.relations);
    return status;
}

int apply_batch(Applying *applying, Batch *batch, Error *error)
{
    if (batch->kind == BATCH_EMPTY && batch->lane_count == 0 && !applying->open) {
        return 0;
    }
    uint64_t before = session_statements(applying->session);
    uint64_t begun = clock_usec();
    if (run_until_done(applying, batch, error) != 0) {
        return -1;
    }
    batch->statements = session_statements(applying->session) - before;
    batch->busy_usec = clock_usec() - begun;
    return 0;
}
