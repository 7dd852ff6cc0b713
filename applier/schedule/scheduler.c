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
 * 3. A truncate is a change of one lane, the home of the first relation that it names, and waits for the batches of
 *    other workers that have changes of its relations; those that get such changes later wait for it (order.c). What
 *    has nothing to do with these relations goes on.
 *
 * Exactly once
 *
 * 4. A batch writes its progress with its rows: every lane of its worker (of all workers, for a barrier) has everything
 *    up to `last`, the newest position scheduled when the batch was closed, because what these lanes got of it is in
 *    this batch or in an earlier one of the same worker.
 * 5. After a restart the stream comes again from the low-water mark, and a change at or below the position of its lane
 *    is left out. Lanes stand at different positions then, and the number of workers may be another; so a batch names
 *    only lanes that started below its `last`: none is ever moved back.
 * 6. An update that concerns two lanes has moved both or none: in one worker they move together, else it was a barrier.
 *    So every later run finds both on the same side of it, whichever way lanes are dealt out then. Finding them apart
 *    means that someone else wrote the lanes: an error.
 * 7. A truncate is durable when its home lane says so. If it is, every change of its relations before it is durable, in
 *    whatever lane, because it waited for them; if it is not, none behind it is, because they wait. So it finds the same
 *    rows when it comes again, and its relations' changes are found durable or not as if it had been a barrier.
 * 8. Which lane a change has depends on its relation's class. A class is changed only while all lanes stand at one point
 *    and nothing is under way (scheduler_even, scheduler_sync); then no lane has, or will get again, a change that it
 *    knew under the other class.
 *
 * What may be confirmed
 *
 * 9. The floor of a batch is the end of the last whole transaction before its first change. A transaction with any
 *    change in an open, waiting or running batch ends above the floor of that batch, so the lowest floor is safe to
 *    confirm; with no batch at all, the end of the last whole transaction. A keepalive between transactions moves that
 *    end, for it says that nothing else ends before it.
 *
 * Whole transactions
 *
 * 10. With one lane transactions stay whole: batches are closed at commits. A transaction that passes the limits gives
 *     batches that do not commit; they, and the one that commits at last, share the floor of the first, and until then
 *     the floor stays even when all of them have been taken.
 */
#include "scheduler.h"

#include <stdlib.h>
#include <string.h>

#include "lane.h"
#include "order.h"

struct Scheduler {
    SchedulerOptions options;
    Position *start; /* by lane: durable before this run */
    Batch **open;    /* by worker, or NULL */
    bool *busy;      /* by worker */
    Batch *barrier;  /* the open barrier batch, or NULL; while there is one, nothing else is open */
    Batch **ready;   /* closed batches: a ring */
    size_t ready_first;
    size_t ready_count;
    size_t ready_capacity; /* a power of two */
    uint64_t next_id;
    uint64_t *opened; /* by worker: batches opened so far */
    Order *order;
    Position even_at; /* from here on no lane is ahead of what is scheduled */
    bool in_transaction;
    Lsn commit_lsn;   /* of the transaction, while in one */
    Position newest;  /* scheduled or left out */
    Lsn last_end;     /* of the last whole transaction */
    bool uncommitted; /* one lane: the last batch closed did not commit */
    Lsn uncommitted_floor;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/* The position of the lane that started furthest; zero when all started at one. */
static Position even_at(const Scheduler *scheduler)
{
    Position furthest = scheduler->start[0];
    bool equal = true;
    for (int lane = 1; lane < scheduler->options.lanes; lane++) {
        int order = position_compare(scheduler->start[lane], furthest);
        equal = equal && order == 0;
        furthest = order > 0 ? scheduler->start[lane] : furthest;
    }
    return equal ? (Position){0} : furthest;
}

Scheduler *scheduler_new(const SchedulerOptions *options)
{
    Scheduler *scheduler = zeroed(1, sizeof *scheduler);
    scheduler->options = *options;
    if (scheduler->options.workers > options->lanes) {
        scheduler->options.workers = options->lanes;
    }
    scheduler->start = zeroed((size_t)options->lanes, sizeof *scheduler->start);
    memcpy(scheduler->start, options->lane_positions, (size_t)options->lanes * sizeof *scheduler->start);
    scheduler->options.lane_positions = scheduler->start;
    scheduler->open = zeroed((size_t)scheduler->options.workers, sizeof(Batch *));
    scheduler->busy = zeroed((size_t)scheduler->options.workers, sizeof *scheduler->busy);
    scheduler->opened = zeroed((size_t)scheduler->options.workers, sizeof *scheduler->opened);
    scheduler->order = order_new(scheduler->options.workers);
    scheduler->even_at = even_at(scheduler);
    scheduler->ready_capacity = 16;
    scheduler->ready = zeroed(scheduler->ready_capacity, sizeof(Batch *));
    scheduler->next_id = 1;
    scheduler->last_end = options->start;
    return scheduler;
}

void scheduler_free(Scheduler *scheduler)
{
    if (scheduler == NULL) {
        return;
    }
    for (Batch *batch = scheduler_take(scheduler); batch != NULL; batch = scheduler_take(scheduler)) {
        batch_free(batch);
    }
    for (int worker = 0; worker < scheduler->options.workers; worker++) {
        batch_free(scheduler->open[worker]);
    }
    batch_free(scheduler->barrier);
    order_free(scheduler->order);
    free(scheduler->opened);
    free(scheduler->busy);
    free(scheduler->ready);
    free(scheduler->open);
    free(scheduler->start);
    free(scheduler);
}

static bool single_lane(const Scheduler *scheduler)
{
    return scheduler->options.lanes == 1;
}

static int worker_of(const Scheduler *scheduler, int lane)
{
    return lane % scheduler->options.workers;
}

/* Opening and closing batches. */

static Batch *open_batch(Scheduler *scheduler, BatchKind kind, int worker, uint64_t now_usec)
{
    Batch *batch = batch_new(kind);
    batch->worker = worker;
    batch->number = ++scheduler->opened[worker];
    batch->opened_usec = now_usec;
    batch->floor = scheduler->uncommitted ? scheduler->uncommitted_floor : scheduler->last_end;
    return batch;
}

static void enqueue(Scheduler *scheduler, Batch *batch)
{
    if (scheduler->ready_count == scheduler->ready_capacity) {
        Batch **grown = zeroed(scheduler->ready_capacity * 2, sizeof(Batch *));
        for (size_t i = 0; i < scheduler->ready_count; i++) {
            grown[i] = scheduler->ready[(scheduler->ready_first + i) & (scheduler->ready_capacity - 1)];
        }
        free(scheduler->ready);
        scheduler->ready = grown;
        scheduler->ready_capacity *= 2;
        scheduler->ready_first = 0;
    }
    size_t slot = (scheduler->ready_first + scheduler->ready_count++) & (scheduler->ready_capacity - 1);
    scheduler->ready[slot] = batch;
}

/* Names the lanes that the batch moves: rules 4 and 5. */
static void set_progress(Scheduler *scheduler, Batch *batch)
{
    batch->last = scheduler->newest;
    batch->lanes = zeroed((size_t)scheduler->options.lanes, sizeof *batch->lanes);
    for (int lane = 0; lane < scheduler->options.lanes; lane++) {
        bool served = batch->barrier || worker_of(scheduler, lane) == batch->worker;
        if (served && position_compare(scheduler->start[lane], batch->last) < 0) {
            batch->lanes[batch->lane_count++] = lane;
        }
    }
}

static void close_batch(Scheduler *scheduler, Batch *batch)
{
    if (batch == NULL) {
        return;
    }
    batch->id = scheduler->next_id++;
    set_progress(scheduler, batch);
    if (single_lane(scheduler)) {
        batch->commits = !scheduler->in_transaction;
        scheduler->uncommitted = !batch->commits;
        scheduler->uncommitted_floor = batch->floor;
    }
    enqueue(scheduler, batch);
}

static void close_worker(Scheduler *scheduler, int worker)
{
    close_batch(scheduler, scheduler->open[worker]);
    scheduler->open[worker] = NULL;
}

static void close_barrier(Scheduler *scheduler)
{
    close_batch(scheduler, scheduler->barrier);
    scheduler->barrier = NULL;
}

static void close_all(Scheduler *scheduler)
{
    for (int worker = 0; worker < scheduler->options.workers; worker++) {
        close_worker(scheduler, worker);
    }
    close_barrier(scheduler);
}

/* Rows. */

static bool full(const Scheduler *scheduler, const Batch *batch, size_t times)
{
    return batch->count / times >= scheduler->options.batch_rows ||
           batch->bytes / times >= scheduler->options.batch_bytes;
}

static void add_change(Scheduler *scheduler, DecodedFrame *frame, const LaneRoute *route, RelationUse *use,
                       const Change *change, size_t bytes, uint64_t now_usec)
{
    int worker = worker_of(scheduler, route->lane);
    if (scheduler->barrier == NULL && worker_of(scheduler, route->other) != worker) {
        close_all(scheduler);
        scheduler->barrier = open_batch(scheduler, BATCH_ROWS, worker, now_usec);
        scheduler->barrier->barrier = true;
    }
    Batch *batch = scheduler->barrier != NULL ? scheduler->barrier : scheduler->open[worker];
    if (batch == NULL) {
        batch = scheduler->open[worker] = open_batch(scheduler, BATCH_ROWS, worker, now_usec);
    }
    scheduler->newest = change->position;
    order_rows(scheduler->order, use, batch);
    batch_add_frame(batch, frame);
    batch_add_change(batch, change);
    batch->bytes += bytes;
    /* With one lane, small transactions fit in behind the limit: only a large one is cut. */
    if (!full(scheduler, batch, single_lane(scheduler) ? 2 : 1)) {
        return;
    }
    if (batch == scheduler->barrier) {
        close_barrier(scheduler);
    } else {
        close_worker(scheduler, worker);
    }
}

static size_t side_bytes(const RowsRecord *rows, RowSide side)
{
    size_t bytes = 0;
    for (uint32_t column = 0; rows->sides[side] != NULL && column < rows->column_count; column++) {
        bytes += rows->sides[side][column].offsets[rows->count];
    }
    return bytes;
}

/* Is the change durable already? ERROR_STATE when its two lanes disagree: rule 6. */
static int is_durable(const Scheduler *scheduler, Position position, int lane, int other, bool *durable,
                      Error *error)
{
    *durable = position_compare(position, scheduler->start[lane]) <= 0;
    if (*durable == (position_compare(position, scheduler->start[other]) <= 0)) {
        return 0;
    }
    char lsn[LSN_TEXT_SIZE];
    error_set(error, ERROR_STATE,
              "lanes %d and %d stand on different sides of change %llu of the transaction at %s, "
              "which belongs to both",
              lane, other, (unsigned long long)position.sequence, lsn_format(position.commit_lsn, lsn));
    return error_hint(error, "penstock.lane was changed by something other than the applier: copy again.");
}

static int schedule_rows(Scheduler *scheduler, DecodedFrame *frame, const RowsRecord *rows,
                         const ApplyRelation *relation, uint64_t now_usec, Error *error)
{
    Position position = {scheduler->commit_lsn, rows->first_sequence + rows->count - 1};
    if (relation == NULL || scheduler->commit_lsn < relation->copy_lsn) {
        scheduler->newest = position;
        return 0;
    }
    LaneRouter router;
    RelationUse *use = order_use(scheduler->order, relation);
    lane_router_init(&router, relation, rows, scheduler->options.lanes);
    size_t bytes = (side_bytes(rows, SIDE_NEW) + side_bytes(rows, SIDE_OLD)) / rows->count + 1;
    for (uint32_t row = 0; row < rows->count; row++) {
        position.sequence = rows->first_sequence + row;
        LaneRoute route;
        bool durable;
        if (lane_route(&router, row, &route, error) != 0 ||
            is_durable(scheduler, position, route.lane, route.other, &durable, error) != 0) {
            char lsn[LSN_TEXT_SIZE];
            return error_context(error, "change %llu of the transaction at %s",
                                 (unsigned long long)position.sequence, lsn_format(position.commit_lsn, lsn));
        }
        if (durable) {
            scheduler->newest = position;
            continue;
        }
        Change change = {
            .relation = relation, .rows = rows, .row = row, .lane = route.lane, .position = position};
        add_change(scheduler, frame, &route, use, &change, bytes, now_usec);
    }
    return 0;
}

/* Truncate. */

/* The relations to truncate, the others NULL; NULL when none is left. The caller frees it. */
static const ApplyRelation **truncate_targets(const Scheduler *scheduler, const TruncateRecord *truncate,
                                              const ApplyRelation *const *targets)
{
    const ApplyRelation **kept = zeroed(truncate->relation_count + 1, sizeof *kept);
    bool any = false;
    for (uint32_t i = 0; i < truncate->relation_count; i++) {
        if (targets[i] != NULL && scheduler->commit_lsn >= targets[i]->copy_lsn) {
            kept[i] = targets[i];
            any = true;
        }
    }
    if (!any) {
        free(kept);
    }
    return any ? kept : NULL;
}

static const ApplyRelation *first_of(const ApplyRelation *const *kept)
{
    while (*kept == NULL) {
        kept++;
    }
    return *kept;
}

/* Closes what the truncate has to follow, and makes its batch wait for what other workers have: rule 3. */
static Batch *open_truncate(Scheduler *scheduler, const ApplyRelation *const *kept, uint32_t count,
                            int worker, Position position, uint64_t now_usec)
{
    close_barrier(scheduler);
    close_worker(scheduler, worker);
    for (uint32_t i = 0; i < count; i++) {
        for (int other = 0; kept[i] != NULL && other < scheduler->options.workers; other++) {
            const Batch *open = scheduler->open[other];
            if (open != NULL && order_has(order_use(scheduler->order, kept[i]), other, open->number)) {
                close_worker(scheduler, other);
            }
        }
    }
    scheduler->newest = position;
    Batch *batch = open_batch(scheduler, BATCH_TRUNCATE, worker, now_usec);
    for (uint32_t i = 0; i < count; i++) {
        if (kept[i] != NULL) {
            order_truncate(scheduler->order, order_use(scheduler->order, kept[i]), batch);
        }
    }
    return batch;
}

static int schedule_truncate(Scheduler *scheduler, DecodedFrame *frame, const TruncateRecord *truncate,
                             const ApplyRelation *const *targets, uint64_t now_usec, Error *error)
{
    Position position = {scheduler->commit_lsn, truncate->sequence};
    const ApplyRelation **kept = truncate_targets(scheduler, truncate, targets);
    int home = kept != NULL ? lane_home(first_of(kept)->source, scheduler->options.lanes) : 0;
    bool durable = false;
    if (is_durable(scheduler, position, home, home, &durable, error) != 0) {
        free(kept);
        return -1;
    }
    if (kept == NULL || durable) {
        free(kept);
        scheduler->newest = position;
        return 0;
    }
    Batch *batch = open_truncate(scheduler, kept, truncate->relation_count, worker_of(scheduler, home),
                                 position, now_usec);
    batch->truncate = truncate;
    batch->truncated = kept;
    batch_add_frame(batch, frame);
    close_batch(scheduler, batch);
    return 0;
}

/* Transactions. */

static int schedule_begin(Scheduler *scheduler, const BeginRecord *begin, Error *error)
{
    if (begin->commit_lsn <= scheduler->newest.commit_lsn) {
        char now[LSN_TEXT_SIZE], before[LSN_TEXT_SIZE];
        return error_set(
            error, ERROR_PROTOCOL, "the transaction at %s came after the one at %s: the stream went back",
            lsn_format(begin->commit_lsn, now), lsn_format(scheduler->newest.commit_lsn, before));
    }
    scheduler->in_transaction = true;
    scheduler->commit_lsn = begin->commit_lsn;
    return 0;
}

/* One lane, at a commit: ends what was left uncommitted, and a batch that is full. */
static void close_whole_transaction(Scheduler *scheduler, uint64_t now_usec)
{
    if (scheduler->uncommitted && scheduler->open[0] == NULL) {
        scheduler->open[0] = open_batch(scheduler, BATCH_EMPTY, 0, now_usec);
    }
    if (scheduler->open[0] != NULL && (scheduler->uncommitted || full(scheduler, scheduler->open[0], 1))) {
        close_worker(scheduler, 0);
    }
}

static void schedule_commit(Scheduler *scheduler, const CommitRecord *commit, uint64_t now_usec)
{
    scheduler->newest = (Position){commit->commit_lsn, commit->change_count};
    scheduler->in_transaction = false;
    close_barrier(scheduler);
    if (single_lane(scheduler)) {
        close_whole_transaction(scheduler, now_usec);
    }
    scheduler->last_end = commit->end_lsn > scheduler->last_end ? commit->end_lsn : scheduler->last_end;
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
        return schedule_truncate(scheduler, frame, &record->truncate, targets, now_usec, error);
    case RECORD_COMMIT:
        schedule_commit(scheduler, &record->commit, now_usec);
        return 0;
    case RECORD_MESSAGE:
        if (record->message.transactional) {
            scheduler->newest = (Position){scheduler->commit_lsn, record->message.sequence};
        }
        return 0;
    case RECORD_RECOPY:
        scheduler->newest = (Position){scheduler->commit_lsn, record->recopy.sequence};
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

/* A batch of one lane that is open in a transaction waits for the commit, however old it is. */
static bool may_fall_due(const Scheduler *scheduler)
{
    return !(single_lane(scheduler) && scheduler->in_transaction);
}

static uint64_t due(const Scheduler *scheduler, const Batch *batch)
{
    bool may = batch != NULL && !(scheduler->busy[batch->worker] && !batch->barrier);
    return may ? batch->opened_usec + scheduler->options.linger_usec : UINT64_MAX;
}

void scheduler_set_busy(Scheduler *scheduler, int worker, bool busy)
{
    scheduler->busy[worker] = busy;
}

void scheduler_close(Scheduler *scheduler, uint64_t now_usec, bool all)
{
    if (all) {
        close_all(scheduler);
        return;
    }
    if (!may_fall_due(scheduler)) {
        return;
    }
    for (int worker = 0; worker < scheduler->options.workers; worker++) {
        if (due(scheduler, scheduler->open[worker]) <= now_usec) {
            close_worker(scheduler, worker);
        }
    }
    if (due(scheduler, scheduler->barrier) <= now_usec) {
        close_barrier(scheduler);
    }
}

bool scheduler_even(const Scheduler *scheduler)
{
    return position_compare(scheduler->newest, scheduler->even_at) >= 0;
}

void scheduler_sync(Scheduler *scheduler)
{
    close_all(scheduler);
    if (scheduler->options.workers > 1) {
        Batch *batch = open_batch(scheduler, BATCH_EMPTY, 0, 0);
        batch->barrier = true;
        close_batch(scheduler, batch);
    }
}

void scheduler_advance(Scheduler *scheduler, Lsn lsn)
{
    if (!scheduler->in_transaction && lsn > scheduler->last_end) {
        scheduler->last_end = lsn;
    }
}

Batch *scheduler_take(Scheduler *scheduler)
{
    if (scheduler->ready_count == 0) {
        return NULL;
    }
    Batch *batch = scheduler->ready[scheduler->ready_first];
    scheduler->ready_first = (scheduler->ready_first + 1) & (scheduler->ready_capacity - 1);
    scheduler->ready_count--;
    return batch;
}

uint64_t scheduler_deadline(const Scheduler *scheduler)
{
    uint64_t deadline = due(scheduler, scheduler->barrier);
    for (int worker = 0; worker < scheduler->options.workers; worker++) {
        uint64_t one = due(scheduler, scheduler->open[worker]);
        deadline = one < deadline ? one : deadline;
    }
    return may_fall_due(scheduler) ? deadline : UINT64_MAX;
}

static Lsn lower(Lsn floor, const Batch *batch)
{
    return batch != NULL && batch->floor < floor ? batch->floor : floor;
}

Lsn scheduler_floor(const Scheduler *scheduler)
{
    Lsn floor = scheduler->uncommitted ? scheduler->uncommitted_floor : scheduler->last_end;
    for (size_t i = 0; i < scheduler->ready_count; i++) {
        floor =
            lower(floor, scheduler->ready[(scheduler->ready_first + i) & (scheduler->ready_capacity - 1)]);
    }
    for (int worker = 0; worker < scheduler->options.workers; worker++) {
        floor = lower(floor, scheduler->open[worker]);
    }
    return lower(floor, scheduler->barrier);
}

Position scheduler_position(const Scheduler *scheduler)
{
    return scheduler->newest;
}

bool scheduler_in_transaction(const Scheduler *scheduler)
{
    return scheduler->in_transaction;
}
