/*
 *     SAVEPOINT change ─► the change ─► fits? ─yes─► RELEASE ─► the next
 *                                         │no
 *                                         ▼
 *                   ROLLBACK TO ─► settle ─► record ─► RELEASE ─► the next
 *
 * How `overwrite` makes the source's row come true:
 *
 *     insert, row is there             the row becomes what the source has; columns that the target alone has stay
 *     update, row is missing           it is inserted, if the change carries all of it
 *     update to a key that is taken    the row in the way goes, and the update is tried again
 *     delete, row is missing           nothing is left to do
 *     several rows match               all of them are written
 *
 * What it cannot settle stops the applier: above all a row in the way through another unique constraint than the key,
 * because whose row that is nobody here can know.
 */
#include "careful.h"

#include <string.h>

#include "conflict.h"
#include "record.h"
#include "row_statement.h"

bool careful_may_settle(const Failure *failure)
{
    return failure->miscounted || conflict_is_about_rows(failure->error.sqlstate);
}

static bool is_taken(const Failure *failure)
{
    return !failure->miscounted && strcmp(failure->error.sqlstate, "23505") == 0;
}

static int back_to_savepoint(Session *session)
{
    Failure ignored;
    session_command(session, "ROLLBACK TO SAVEPOINT change");
    return session_finish(session, &ignored);
}

/* The row that the change leaves, by one statement; true when it concerned at least one row. */
static bool write_new_row(Applying *a, const Change *change, ChangeKind kind)
{
    Failure failure;
    if (!rows_queue_new_row(a->session, a->arena, change, kind)) {
        return false;
    }
    return session_finish(a->session, &failure) == 0 || (failure.miscounted && failure.rows > 1);
}

static bool try_again(Applying *a, const Change *change)
{
    Failure failure;
    Error error;
    return rows_queue_change(a->session, a->arena, change, &error) == 0 &&
           session_finish(a->session, &failure) == 0;
}

/* True when the source's row has come true. The transaction may be aborted when not. */
static bool overwrite(Applying *a, const Change *change, const Failure *failure)
{
    ChangeKind kind = change->rows->kind;
    if (failure->miscounted && failure->rows > 0) {
        return kind != CHANGE_INSERT && !try_again(a, change);
    }
    if (kind == CHANGE_DELETE) {
        return failure->miscounted;
    }
    if (kind == CHANGE_INSERT) {
        return is_taken(failure) && write_new_row(a, change, CHANGE_UPDATE);
    }
    if (failure->miscounted) {
        return write_new_row(a, change, CHANGE_UPDATE) || write_new_row(a, change, CHANGE_INSERT);
    }
    return is_taken(failure) && change_moves_key(change) && write_new_row(a, change, CHANGE_DELETE) &&
           try_again(a, change);
}

static void record(Applying *a, const Change *change, const Failure *failure, ConflictPolicy policy)
{
    Settled settled = {
        .problem = !failure->miscounted ? "refused"
                   : failure->rows == 0 ? "missing"
                                        : "several",
        .sqlstate = failure->miscounted ? "" : failure->error.sqlstate,
        .message = failure->miscounted ? "" : failure->error.message,
        .action = policy == POLICY_SKIP ? "skipped" : "overwritten",
    };
    record_change(a->session, a->arena, a->migration, change, &settled);
}

/* Behind a failure of the change: 0 when it is settled and recorded. */
static int settle(Applying *a, Batch *batch, const Change *change, ConflictPolicy policy, Failure *failure)
{
    Failure later;
    if (!careful_may_settle(failure) || back_to_savepoint(a->session) != 0 ||
        (policy == POLICY_OVERWRITE && !overwrite(a, change, failure))) {
        return -1;
    }
    record(a, change, failure, policy);
    if (session_finish(a->session, &later) != 0) {
        *failure = later;
        return -1;
    }
    batch->conflicts++;
    return 0;
}

static int apply_one(Applying *a, Batch *batch, const Change *change, ConflictPolicy policy, Failure *failure)
{
    Error error;
    session_command(a->session, "SAVEPOINT change");
    if (rows_queue_change(a->session, a->arena, change, &error) != 0) {
        *failure = (Failure){.relation = change->relation, .change = change, .error = error};
        return -1;
    }
    if (session_finish(a->session, failure) != 0 && settle(a, batch, change, policy, failure) != 0) {
        return -1;
    }
    session_command(a->session, "RELEASE SAVEPOINT change");
    return 0;
}

int careful_apply(Applying *applying, Batch *batch, const ApplyRelation *relation, Failure *failure)
{
    ConflictPolicy policy = policies_of(applying->policies, relation);
    if (session_finish(applying->session, failure) != 0) {
        return -1;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const Change *change = &batch->changes[i];
        if (change->relation != relation || policies_skip_change(applying->policies, change)) {
            continue;
        }
        batch->reduced++;
        if (apply_one(applying, batch, change, policy, failure) != 0) {
            return -1;
        }
    }
    return 0;
}
