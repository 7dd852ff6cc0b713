/*
 * The order of the stream, and what of it must be kept.
 *
 *     source order   t1: a1 b1 c1   t2: a2 c2   t3: a3 b3 …        (letter: row, number: change of it)
 *
 *     lane of a ──►  a1  a2 │ a3 …    worker 0, one batch after the other
 *     lane of b ──►  b1     │ b3 …    worker 1
 *     lane of c ──►  c1  c2 │         worker 0
 *                           └─ a barrier: all before it is done first, then it alone, then all behind it
 *
 * Ordering rules
 *
 * 1. Each change has one lane, and within a lane source order holds. A row of a spread relation has one lane as long as
 *    its key does not change; all rows of a whole relation have the same one. A worker serves its lanes over one
 *    connection in the order in which their changes came, so order holds within a worker too.
 * 2. An update that moves a row to the lane of another worker is a barrier. A barrier batch runs alone and moves every
 *    lane in its transaction. Once it is opened, the rest of the transaction (up to the limits of a batch) goes along
 *    with it: a statement like "SET id = id + 1" would drain all lanes once per row otherwise. What concerns two lanes
 *    of one worker needs no barrier, rule 1 holds it.
 * 3. A truncate is a change of one lane, the home of the first relation that its record names (whether that one takes part
 *    or not), and waits for the batches of other workers that have changes of its relations; those that get such changes later wait for it (order.c). What
 *    has nothing to do with these relations goes on.
 * 4. A captured statement of DDL is a barrier, and the record behind it waits until it is durable: what is known of tables is
 *    another then (resolve.c). Where transactions stay whole, one with DDL becomes visible in pieces, before and behind it.
 * 5. Before all that comes the question whether the target needs the change (admission.c). What is left out there has no
 *    lane. A change that the target cannot have because a part of its table has to be copied anew is not scheduled, nor
 *    anything behind it: scheduler_recopy names the part, and the run has to end.
 *
 * Why nothing is applied twice or left out stands in durable.c; what may be confirmed, in batcher.c.
 */
#include "scheduler.h"

#include <stdlib.h>

#include "admission.h"
#include "batcher.h"
#include "captured.h"
#include "lane.h"
#include "order.h"

struct Scheduler {
    int lanes;
    int workers;
    StreamPoint point;
    uint32_t xid; /* of the transaction, while in one */
    Durable *durable;
    Batcher *batcher;
    Order *order;
    int64_t *recopy; /* parts to copy anew before the stream can go on */
    size_t recopy_count;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

Scheduler *scheduler_new(const SchedulerOptions *options)
{
    Scheduler *scheduler = zeroed(1, sizeof *scheduler);
    scheduler->lanes = options->lanes;
    scheduler->workers = options->workers < options->lanes ? options->workers : options->lanes;
    scheduler->point.last_end = options->start;
    scheduler->durable = durable_new(options->lane_positions, options->lanes);
    BatcherOptions batcher = {.lanes = options->lanes,
                              .workers = scheduler->workers,
                              .whole = options->lanes == 1,
                              .batch_rows = options->batch_rows,
                              .batch_bytes = options->batch_bytes,
                              .batch_locks = options->batch_locks,
                              .batch_tables = options->batch_tables,
                              .linger_usec = options->linger_usec,
                              .durable = scheduler->durable};
    scheduler->batcher = batcher_new(&batcher, &scheduler->point);
    scheduler->order = order_new(scheduler->workers);
    return scheduler;
}

void scheduler_free(Scheduler *scheduler)
{
    if (scheduler == NULL) {
        return;
    }
    batcher_free(scheduler->batcher);
    order_free(scheduler->order);
    durable_free(scheduler->durable);
    free(scheduler->recopy);
    free(scheduler);
}

static int worker_of(const Scheduler *scheduler, int lane)
{
    return lane % scheduler->workers;
}

/* Rows. */

static void add_change(Scheduler *scheduler, DecodedFrame *frame, const LaneRoute *route, RelationUse *use,
                       const Change *change, size_t bytes, uint64_t now_usec)
{
    int worker = worker_of(scheduler, route->lane);
    bool tied = route->other != route->lane;
    if (worker_of(scheduler, route->other) != worker) {
        batcher_open_barrier(scheduler->batcher, worker, now_usec);
    } else if (tied) {
        batcher_tie(scheduler->batcher, worker);
    }
    Batch *batch = batcher_open(scheduler->batcher, worker, now_usec);
    scheduler->point.newest = change->position;
    batch_note_lane(batch, route->lane, scheduler->lanes, bytes);
    if (tied) {
        batch_note_lane(batch, route->other, scheduler->lanes, bytes);
        batch->tied = true;
    }
    if (order_rows(scheduler->order, use, batch)) {
        batch_note_table(batch, change->relation, route->lane);
    }
    batch_add_frame(batch, frame);
    batch_add_change(batch, change);
    batch->bytes += bytes;
    batch->added_usec = now_usec;
    batcher_added(scheduler->batcher, batch);
}

static void want_recopy(Scheduler *scheduler, int64_t job)
{
    size_t size = (scheduler->recopy_count + 1) * sizeof *scheduler->recopy;
    int64_t *grown = realloc(scheduler->recopy, size);
    if (grown == NULL) {
        abort();
    }
    scheduler->recopy = grown;
    scheduler->recopy[scheduler->recopy_count++] = job;
}

/* A run of rows on its way into batches. */
typedef struct RowsRun {
    Admission admission;
    Admitted admitted; /* all of it, or by row */
    DecodedFrame *frame;
    RelationUse *use;
    size_t row_bytes;
    uint64_t now_usec;
    const RowsRecord
        *halves[2]; /* of an update, by RowSide: only that the new row comes, or that the old one goes */
} RowsRun;

/* The update as the insert of its new row or the delete of its old one. Lives as long as the frame. */
static const RowsRecord *half_of(RowsRun *run, RowSide side)
{
    const RowsRecord *rows = run->admission.rows;
    if (run->halves[side] == NULL) {
        RowsRecord *half = arena_alloc(run->frame->arena, sizeof *half);
        *half = *rows;
        half->kind = side == SIDE_NEW ? CHANGE_INSERT : CHANGE_DELETE;
        half->old = side == SIDE_NEW ? OLD_NONE : rows->old;
        half->sides[side == SIDE_NEW ? SIDE_OLD : SIDE_NEW] = NULL;
        run->halves[side] = half;
    }
    return run->halves[side];
}

/* What of the row is to be scheduled, or NULL; the part to be copied anew first, or 0. */
static int admit(RowsRun *run, uint32_t row, const RowsRecord **rows, int64_t *job, Error *error)
{
    Admitted admitted = run->admitted;
    *job = 0;
    if (admitted == ADMIT_BY_ROW && admit_row(&run->admission, row, &admitted, job, error) != 0) {
        return -1;
    }
    switch (admitted) {
    case ADMIT_OLD:
        *rows = half_of(run, SIDE_OLD);
        return 0;
    case ADMIT_NEW:
    case ADMIT_RECOPY:
        *rows = half_of(run, SIDE_NEW);
        return 0;
    case ADMIT_WHOLE:
        *rows = run->admission.rows;
        return 0;
    case ADMIT_NOTHING:
    case ADMIT_BY_ROW:
        break;
    }
    *rows = NULL;
    return 0;
}

static int schedule_row(Scheduler *scheduler, RowsRun *run, uint32_t row, Error *error)
{
    Change change = {.relation = run->admission.relation,
                     .row = row,
                     .position = {scheduler->point.commit_lsn, run->admission.rows->first_sequence + row}};
    int64_t job;
    bool durable = true;
    LaneRouter router;
    LaneRoute route;
    if (admit(run, row, &change.rows, &job, error) != 0) {
        return -1;
    }
    if (change.rows != NULL) {
        lane_router_init(&router, change.relation, change.rows, scheduler->lanes);
        if (lane_route(&router, row, &route, error) != 0 ||
            durable_has(scheduler->durable, change.position, route.lane, route.other, &durable, error) != 0) {
            return -1;
        }
        change.lane = route.lane;
    }
    if (durable) {
        scheduler->point.newest = change.position;
    } else if (job != 0) {
        want_recopy(scheduler, job);
    } else {
        add_change(scheduler, run->frame, &route, run->use, &change, run->row_bytes, run->now_usec);
    }
    return 0;
}

static int schedule_rows(Scheduler *scheduler, DecodedFrame *frame, const RowsRecord *rows,
                         const ApplyRelation *relation, uint64_t now_usec, Error *error)
{
    RowsRun run = {.admission = {.relation = relation,
                                 .rows = rows,
                                 .xid = scheduler->xid,
                                 .commit_lsn = scheduler->point.commit_lsn},
                   .frame = frame,
                   .now_usec = now_usec};
    run.admitted = relation != NULL ? admit_run(&run.admission) : ADMIT_NOTHING;
    if (run.admitted == ADMIT_NOTHING) {
        scheduler->point.newest =
            (Position){scheduler->point.commit_lsn, rows->first_sequence + rows->count - 1};
        return 0;
    }
    run.use = order_use(scheduler->order, relation);
    run.row_bytes = (rows_side_bytes(rows, SIDE_NEW) + rows_side_bytes(rows, SIDE_OLD)) / rows->count + 1;
    for (uint32_t row = 0; row < rows->count && scheduler->recopy_count == 0; row++) {
        if (schedule_row(scheduler, &run, row, error) != 0) {
            char lsn[LSN_TEXT_SIZE];
            return error_context(error, "change %llu of the transaction at %s",
                                 (unsigned long long)(rows->first_sequence + row),
                                 lsn_format(scheduler->point.commit_lsn, lsn));
        }
    }
    return 0;
}

/* Truncate. */

/* Parts of a table that need the truncate, while others have it already: they are copied anew, which empties them. */
static void recopy_parts(Scheduler *scheduler, const Admission *admission)
{
    const Origin *origin = admission->relation->origin;
    for (size_t part = 0; part < origin->count; part++) {
        if (admit_part(admission, part)) {
            want_recopy(scheduler, origin->parts[part].job);
        }
    }
}

/* The relations to truncate, the others NULL; NULL when none is left. The caller frees it. */
static const ApplyRelation **truncate_targets(Scheduler *scheduler, const TruncateRecord *truncate,
                                              const ApplyRelation *const *targets)
{
    const ApplyRelation **kept = zeroed(truncate->relation_count + 1, sizeof *kept);
    bool any = false;
    for (uint32_t i = 0; i < truncate->relation_count; i++) {
        Admission admission = {
            .relation = targets[i], .xid = scheduler->xid, .commit_lsn = scheduler->point.commit_lsn};
        Admitted admitted = targets[i] != NULL ? admit_run(&admission) : ADMIT_NOTHING;
        if (admitted == ADMIT_BY_ROW) {
            recopy_parts(scheduler, &admission);
        } else if (admitted == ADMIT_WHOLE) {
            kept[i] = targets[i];
            any = true;
        }
    }
    if (!any) {
        free(kept);
    }
    return any ? kept : NULL;
}

/* Closes what the truncate has to follow, and makes its batch wait for what other workers have: rule 3. */
static Batch *open_truncate(Scheduler *scheduler, const ApplyRelation *const *kept, uint32_t count,
                            int worker, Position position, uint64_t now_usec)
{
    batcher_close_barrier(scheduler->batcher);
    batcher_close_worker(scheduler->batcher, worker);
    for (uint32_t i = 0; i < count; i++) {
        for (int other = 0; kept[i] != NULL && other < scheduler->workers; other++) {
            const Batch *open = batcher_peek(scheduler->batcher, other);
            if (open != NULL && order_has(order_use(scheduler->order, kept[i]), other, open->number)) {
                batcher_close_worker(scheduler->batcher, other);
            }
        }
    }
    scheduler->point.newest = position;
    Batch *batch = batcher_alone(scheduler->batcher, BATCH_TRUNCATE, worker, now_usec);
    for (uint32_t i = 0; i < count; i++) {
        if (kept[i] != NULL) {
            order_truncate(scheduler->order, order_use(scheduler->order, kept[i]), batch);
        }
    }
    return batch;
}

static int schedule_truncate(Scheduler *scheduler, DecodedFrame *frame, size_t index,
                             const ApplyRelation *const *targets, uint64_t now_usec, Error *error)
{
    const TruncateRecord *truncate = &frame->records[index].truncate;
    Position position = {scheduler->point.commit_lsn, truncate->sequence};
    int home = lane_home(frame->truncated[index][0], scheduler->lanes);
    bool durable = false;
    if (durable_has(scheduler->durable, position, home, home, &durable, error) != 0) {
        return -1;
    }
    const ApplyRelation **kept = durable ? NULL : truncate_targets(scheduler, truncate, targets);
    if (scheduler->recopy_count > 0) {
        free(kept);
        return 0;
    }
    if (kept == NULL) {
        scheduler->point.newest = position;
        return 0;
    }
    Batch *batch = open_truncate(scheduler, kept, truncate->relation_count, worker_of(scheduler, home),
                                 position, now_usec);
    batch_note_lane(batch, home, scheduler->lanes, 0);
    batch->truncate = truncate;
    batch->truncated = kept;
    batch_add_frame(batch, frame);
    batcher_close(scheduler->batcher, batch);
    return 0;
}

/* DDL. */

static int schedule_ddl(Scheduler *scheduler, DecodedFrame *frame, const MessageRecord *message,
                        uint64_t now_usec, Error *error)
{
    Position position = {scheduler->point.commit_lsn, message->sequence};
    bool durable = false;
    if (durable_has(scheduler->durable, position, 0, 0, &durable, error) != 0) {
        return -1;
    }
    if (!durable) {
        batcher_commit_open(scheduler->batcher, now_usec);
        batcher_close_all(scheduler->batcher);
    }
    scheduler->point.newest = position;
    if (!durable) {
        Batch *batch = batcher_alone(scheduler->batcher, BATCH_DDL, 0, now_usec);
        batch->barrier = true;
        batch->definition = message;
        batch_add_frame(batch, frame);
        batcher_close_committing(scheduler->batcher, batch);
    }
    return 0;
}

/* The position behind the record, which is nothing but what every lane has when it is behind what they all began with. */
static Position end_of(const Scheduler *scheduler, const Record *record)
{
    switch (record->kind) {
    case RECORD_ROWS:
        return (Position){scheduler->point.commit_lsn, record->rows.first_sequence + record->rows.count - 1};
    case RECORD_TRUNCATE:
        return (Position){scheduler->point.commit_lsn, record->truncate.sequence};
    case RECORD_RECOPY:
        return (Position){scheduler->point.commit_lsn, record->recopy.sequence};
    case RECORD_MESSAGE:
        return (Position){scheduler->point.commit_lsn, record->message->sequence};
    default:
        return scheduler->point.newest;
    }
}

bool scheduler_had(const Scheduler *scheduler, const Record *record)
{
    return scheduler->point.in_transaction && durable_all(scheduler->durable, end_of(scheduler, record));
}

/* Transactions. */

static int schedule_begin(Scheduler *scheduler, const BeginRecord *begin, Error *error)
{
    if (begin->commit_lsn <= scheduler->point.newest.commit_lsn) {
        char now[LSN_TEXT_SIZE], before[LSN_TEXT_SIZE];
        return error_set(
            error, ERROR_PROTOCOL, "the transaction at %s came after the one at %s: the stream went back",
            lsn_format(begin->commit_lsn, now), lsn_format(scheduler->point.newest.commit_lsn, before));
    }
    scheduler->point.in_transaction = true;
    scheduler->point.commit_lsn = begin->commit_lsn;
    scheduler->xid = begin->xid;
    return 0;
}

static void schedule_commit(Scheduler *scheduler, const CommitRecord *commit, uint64_t now_usec)
{
    scheduler->point.newest = (Position){commit->commit_lsn, commit->change_count};
    scheduler->point.in_transaction = false;
    batcher_close_barrier(scheduler->batcher);
    batcher_commit(scheduler->batcher, now_usec);
    scheduler->point.last_end =
        commit->end_lsn > scheduler->point.last_end ? commit->end_lsn : scheduler->point.last_end;
}

int scheduler_record(Scheduler *scheduler, DecodedFrame *frame, size_t index,
                     const ApplyRelation *const *targets, uint64_t now_usec, Error *error)
{
    const Record *record = &frame->records[index];
    switch (record->kind) {
    case RECORD_BEGIN:
        return schedule_begin(scheduler, &record->begin, error);
    case RECORD_ROWS:
        return schedule_rows(scheduler, frame, &record->rows, targets[0], now_usec, error);
    case RECORD_TRUNCATE:
        return schedule_truncate(scheduler, frame, index, targets, now_usec, error);
    case RECORD_COMMIT:
        schedule_commit(scheduler, &record->commit, now_usec);
        return 0;
    case RECORD_MESSAGE:
        if (captured_is_statement(record)) {
            return schedule_ddl(scheduler, frame, record->message, now_usec, error);
        }
        if (record->message->transactional) {
            scheduler->point.newest = (Position){scheduler->point.commit_lsn, record->message->sequence};
        }
        return 0;
    case RECORD_RECOPY:
        scheduler->point.newest = (Position){scheduler->point.commit_lsn, record->recopy.sequence};
        return 0;
    case RECORD_HEARTBEAT:
        scheduler_advance(scheduler, record->heartbeat.lsn);
        return 0;
    case RECORD_HELLO:
    case RECORD_RELATION:
        return 0;
    }
    return 0;
}

void scheduler_set_busy(Scheduler *scheduler, int worker, bool busy)
{
    batcher_set_busy(scheduler->batcher, worker, busy);
}

void scheduler_set_late(Scheduler *scheduler, uint64_t usec)
{
    batcher_set_late(scheduler->batcher, usec);
}

bool scheduler_gathers(const Scheduler *scheduler)
{
    return batcher_gathers(scheduler->batcher);
}

void scheduler_close(Scheduler *scheduler, uint64_t now_usec, bool all)
{
    if (all) {
        batcher_close_all(scheduler->batcher);
    } else {
        batcher_close_due(scheduler->batcher, now_usec);
    }
}

void scheduler_close_full(Scheduler *scheduler, int worker)
{
    batcher_close_full(scheduler->batcher, worker);
}

bool scheduler_even(const Scheduler *scheduler)
{
    return durable_even(scheduler->durable, scheduler->point.newest);
}

void scheduler_sync(Scheduler *scheduler)
{
    batcher_close_all(scheduler->batcher);
    if (scheduler->lanes > 1) {
        Batch *batch = batcher_alone(scheduler->batcher, BATCH_EMPTY, 0, 0);
        batch->barrier = true;
        batcher_close(scheduler->batcher, batch);
    }
}

void scheduler_advance(Scheduler *scheduler, Lsn lsn)
{
    if (!scheduler->point.in_transaction && lsn > scheduler->point.last_end) {
        scheduler->point.last_end = lsn;
    }
}

Batch *scheduler_take(Scheduler *scheduler)
{
    return batcher_take(scheduler->batcher);
}

size_t scheduler_footprint(const Scheduler *scheduler)
{
    return batcher_footprint(scheduler->batcher);
}

uint64_t scheduler_deadline(const Scheduler *scheduler)
{
    return batcher_deadline(scheduler->batcher);
}

Lsn scheduler_floor(const Scheduler *scheduler)
{
    return batcher_floor(scheduler->batcher);
}

Position scheduler_position(const Scheduler *scheduler)
{
    return scheduler->point.newest;
}

Lsn scheduler_transaction(const Scheduler *scheduler)
{
    return scheduler->point.commit_lsn;
}

bool scheduler_in_transaction(const Scheduler *scheduler)
{
    return scheduler->point.in_transaction;
}

const int64_t *scheduler_recopy(const Scheduler *scheduler, size_t *count)
{
    *count = scheduler->recopy_count;
    return scheduler->recopy;
}
