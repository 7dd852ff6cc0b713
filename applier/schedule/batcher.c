/*
 * What may be confirmed
 *
 * 1. The floor of a batch is the end of the last whole transaction before its first change. A transaction with any
 *    change in an open, waiting or running batch ends above the floor of that batch, so the lowest floor is safe to
 *    confirm; with no batch at all, the end of the last whole transaction. A keepalive between transactions moves that
 *    end, for it says that nothing else ends before it.
 *
 * Whole transactions
 *
 * 2. With one lane transactions stay whole: batches are closed at commits. A transaction that passes the limits gives
 *    batches that do not commit; they, and the one that commits at last, share the floor of the first, and until then
 *    the floor stays even when all of them have been taken.
 *
 * Very many tables
 *
 * 3. What a batch costs the target is above all its statements, one or more for each table, and what a session has to look up
 *    when it meets the table for the first time. So while a batch has few changes for each of its tables it goes on beyond
 *    its number of rows, as long as changes keep coming, or its worker has other things to do, and memory lasts. What is late
 *    by minutes may wait for seconds more, a minute at most: the time is won back many times by
 *    visiting a table once for all that it gets. Closed, it is taken apart by lanes into
 *    transactions that take no more locks, and meet no more tables, than they may (split.h). One with a change that
 *    concerns two lanes stays together, and within the ordinary limits.
 */
#include "batcher.h"

#include <stdlib.h>

#include "split.h"

/*
 * Above so many changes for each table, more gain nothing; nor where there are no more tables than this, or than this part of
 * those that a transaction may meet.
 */
#define CHANGES_PER_TABLE 16
#define FEW_TABLES 250
#define SMALL_PART 8
/*
 * How long such a batch waits since its last change, and since its first: in times of the linger (0.5 and 5 s by default), or a
 * part of the time that its changes are late already, if that is more; but no longer than makes sense where little comes.
 */
#define PAUSE_LINGERS 25
#define PAUSE_PART 64
#define PAUSE_LATE_USEC (UINT64_C(5) * 1000000)
#define MOST_LINGERS 250
#define MOST_PART 4
#define MOST_LATE_USEC (UINT64_C(60) * 1000000)

struct Batcher {
    BatcherOptions options;
    const StreamPoint *point;
    Batch **open; /* by worker, or NULL */
    bool *busy;   /* by worker */
    uint64_t late_usec;
    bool gained;    /* by more changes: the batch that was closed last */
    Batch *barrier; /* the open barrier batch, or NULL; while there is one, nothing else is open */
    Batch **ready;  /* closed batches: a ring */
    size_t ready_first;
    size_t ready_count;
    size_t ready_capacity; /* a power of two */
    uint64_t next_id;
    uint64_t *opened; /* by worker: batches opened so far */
    bool uncommitted; /* whole transactions: the last batch closed did not commit */
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

Batcher *batcher_new(const BatcherOptions *options, const StreamPoint *point)
{
    Batcher *batcher = zeroed(1, sizeof *batcher);
    batcher->options = *options;
    batcher->point = point;
    batcher->open = zeroed((size_t)options->workers, sizeof(Batch *));
    batcher->busy = zeroed((size_t)options->workers, sizeof *batcher->busy);
    batcher->opened = zeroed((size_t)options->workers, sizeof *batcher->opened);
    batcher->ready_capacity = 16;
    batcher->ready = zeroed(batcher->ready_capacity, sizeof(Batch *));
    batcher->next_id = 1;
    return batcher;
}

void batcher_free(Batcher *batcher)
{
    if (batcher == NULL) {
        return;
    }
    for (Batch *batch = batcher_take(batcher); batch != NULL; batch = batcher_take(batcher)) {
        batch_free(batch);
    }
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        batch_free(batcher->open[worker]);
    }
    batch_free(batcher->barrier);
    free(batcher->opened);
    free(batcher->busy);
    free(batcher->ready);
    free(batcher->open);
    free(batcher);
}

/* Opening. */

static Batch *make(Batcher *batcher, BatchKind kind, int worker, uint64_t now_usec)
{
    Batch *batch = batch_new(kind);
    batch->worker = worker;
    batch->number = ++batcher->opened[worker];
    batch->opened_usec = now_usec;
    batch->floor = batcher->uncommitted ? batcher->uncommitted_floor : batcher->point->last_end;
    return batch;
}

Batch *batcher_open(Batcher *batcher, int worker, uint64_t now_usec)
{
    if (batcher->barrier != NULL) {
        return batcher->barrier;
    }
    if (batcher->open[worker] == NULL) {
        batcher->open[worker] = make(batcher, BATCH_ROWS, worker, now_usec);
    }
    return batcher->open[worker];
}

void batcher_open_barrier(Batcher *batcher, int worker, uint64_t now_usec)
{
    if (batcher->barrier == NULL) {
        batcher_close_all(batcher);
        batcher->barrier = make(batcher, BATCH_ROWS, worker, now_usec);
        batcher->barrier->barrier = true;
    }
}

Batch *batcher_alone(Batcher *batcher, BatchKind kind, int worker, uint64_t now_usec)
{
    return make(batcher, kind, worker, now_usec);
}

const Batch *batcher_peek(const Batcher *batcher, int worker)
{
    return batcher->open[worker];
}

/* What gains from more. */

static bool reached(size_t value, size_t limit)
{
    return limit != 0 && value >= limit;
}

static size_t few_tables(const Batcher *batcher)
{
    size_t part = batcher->options.batch_tables / SMALL_PART;
    return part < FEW_TABLES ? part : FEW_TABLES;
}

/* Rule 3: it has few changes for each of its tables, and they are many. */
static bool gains(const Batcher *batcher, const Batch *batch)
{
    return batcher->options.batch_tables != 0 && !batch->barrier && !batch->tied && !batcher->options.whole &&
           batch->tables > few_tables(batcher) && batch->count < batch->tables * CHANGES_PER_TABLE;
}

static bool may_go_on(const Batcher *batcher, const Batch *batch)
{
    return gains(batcher, batch) && batch->most.bytes < batcher->options.batch_bytes &&
           !reached(batch->most.locks + batch->spread_locks, batcher->options.batch_locks) &&
           !reached(batch->most.tables + batch->spread_tables, batcher->options.batch_tables);
}

/* Closing. */

static Batch **slot_of(const Batcher *batcher, size_t place)
{
    return &batcher->ready[(batcher->ready_first + place) & (batcher->ready_capacity - 1)];
}

static void enqueue(Batcher *batcher, Batch *batch)
{
    if (batcher->ready_count == batcher->ready_capacity) {
        Batch **grown = zeroed(batcher->ready_capacity * 2, sizeof(Batch *));
        for (size_t i = 0; i < batcher->ready_count; i++) {
            grown[i] = *slot_of(batcher, i);
        }
        free(batcher->ready);
        batcher->ready = grown;
        batcher->ready_capacity *= 2;
        batcher->ready_first = 0;
    }
    *slot_of(batcher, batcher->ready_count++) = batch;
}

/* commits: of whole transactions, whether what is open on the target ends with it. */
static void close_as(Batcher *batcher, Batch *batch, bool commits)
{
    batch->id = batcher->next_id++;
    durable_move(batcher->options.durable, batch, batcher->point->newest);
    free(batch->loads);
    batch->loads = NULL;
    if (batcher->options.whole) {
        batch->commits = commits;
        batcher->uncommitted = !batch->commits;
        batcher->uncommitted_floor = batch->floor;
    }
    enqueue(batcher, batch);
}

void batcher_close(Batcher *batcher, Batch *batch)
{
    SplitLimits limits = {.tables = batcher->options.batch_tables,
                          .locks = batcher->options.batch_locks,
                          .bytes = batcher->options.batch_bytes};
    if (batch == NULL) {
        return;
    }
    bool commits = !batcher->point->in_transaction;
    batcher->gained = gains(batcher, batch);
    if (batcher->options.whole || !split_wanted(batch, &limits)) {
        close_as(batcher, batch, commits);
        return;
    }
    Batch **parts;
    size_t count;
    split_batch(batch, batcher->options.lanes, batcher->options.workers, &limits, &parts, &count);
    for (size_t i = 0; i < count; i++) {
        close_as(batcher, parts[i], commits);
    }
    free(parts);
}

void batcher_close_committing(Batcher *batcher, Batch *batch)
{
    close_as(batcher, batch, true);
}

void batcher_commit_open(Batcher *batcher, uint64_t now_usec)
{
    if (!batcher->options.whole || (batcher->open[0] == NULL && !batcher->uncommitted)) {
        return;
    }
    if (batcher->open[0] == NULL) {
        batcher->open[0] = make(batcher, BATCH_EMPTY, 0, now_usec);
    }
    close_as(batcher, batcher->open[0], true);
    batcher->open[0] = NULL;
}

void batcher_close_worker(Batcher *batcher, int worker)
{
    batcher_close(batcher, batcher->open[worker]);
    batcher->open[worker] = NULL;
}

void batcher_close_barrier(Batcher *batcher)
{
    batcher_close(batcher, batcher->barrier);
    batcher->barrier = NULL;
}

void batcher_close_all(Batcher *batcher)
{
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        batcher_close_worker(batcher, worker);
    }
    batcher_close_barrier(batcher);
}

/* Where transactions stay whole, closing a batch gives back no lock. */
static bool too_many_locks(const Batcher *batcher, const Batch *batch)
{
    return batcher->options.batch_locks != 0 && !batcher->options.whole &&
           batch->locks >= batcher->options.batch_locks;
}

static bool full(const Batcher *batcher, const Batch *batch, size_t times)
{
    return batch->count / times >= batcher->options.batch_rows ||
           batch->bytes / times >= batcher->options.batch_bytes || too_many_locks(batcher, batch);
}

void batcher_close_full(Batcher *batcher, int worker)
{
    const Batch *open = batcher->open[worker];
    if (open != NULL && full(batcher, open, 1)) {
        batcher_close_worker(batcher, worker);
    }
}

void batcher_tie(Batcher *batcher, int worker)
{
    if (batcher->barrier == NULL) {
        batcher_close_full(batcher, worker);
    }
}

void batcher_added(Batcher *batcher, Batch *batch)
{
    /* Where transactions stay whole, small ones fit in behind the limit: only a large one is cut. */
    if (!full(batcher, batch, batcher->options.whole ? 2 : 1) || may_go_on(batcher, batch)) {
        return;
    }
    if (batch == batcher->barrier) {
        batcher_close_barrier(batcher);
    } else {
        batcher_close_worker(batcher, batch->worker);
    }
}

void batcher_commit(Batcher *batcher, uint64_t now_usec)
{
    if (!batcher->options.whole) {
        return;
    }
    if (batcher->uncommitted && batcher->open[0] == NULL) {
        batcher->open[0] = make(batcher, BATCH_EMPTY, 0, now_usec);
    }
    if (batcher->open[0] != NULL && (batcher->uncommitted || full(batcher, batcher->open[0], 1))) {
        batcher_close_worker(batcher, 0);
    }
}

/* When. */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/*
 * A batch that gains from more changes (rule 3) waits while they keep coming: those of the same tables that come a moment later
 * would cost the target as much again.
 */
static uint64_t patience(const Batcher *batcher, const Batch *batch)
{
    uint64_t linger = batcher->options.linger_usec, late = batcher->late_usec;
    if (!may_go_on(batcher, batch)) {
        return batch->opened_usec + linger;
    }
    uint64_t pause = larger(linger * PAUSE_LINGERS, smaller(late / PAUSE_PART, PAUSE_LATE_USEC));
    uint64_t most = larger(linger * MOST_LINGERS, smaller(late / MOST_PART, MOST_LATE_USEC));
    return smaller(batch->added_usec + pause, batch->opened_usec + most);
}

/* A batch of whole transactions that is open in a transaction waits for the commit, however old it is. */
static bool may_fall_due(const Batcher *batcher)
{
    return !(batcher->options.whole && batcher->point->in_transaction);
}

static uint64_t due(const Batcher *batcher, const Batch *batch)
{
    bool may = batch != NULL && !(batcher->busy[batch->worker] && !batch->barrier);
    return may ? patience(batcher, batch) : UINT64_MAX;
}

void batcher_close_due(Batcher *batcher, uint64_t now_usec)
{
    if (!may_fall_due(batcher)) {
        return;
    }
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        if (due(batcher, batcher->open[worker]) <= now_usec) {
            batcher_close_worker(batcher, worker);
        }
    }
    if (due(batcher, batcher->barrier) <= now_usec) {
        batcher_close_barrier(batcher);
    }
}

uint64_t batcher_deadline(const Batcher *batcher)
{
    uint64_t deadline = due(batcher, batcher->barrier);
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        uint64_t one = due(batcher, batcher->open[worker]);
        deadline = one < deadline ? one : deadline;
    }
    return may_fall_due(batcher) ? deadline : UINT64_MAX;
}

size_t batcher_footprint(const Batcher *batcher)
{
    size_t bytes = batcher->barrier != NULL ? batch_footprint(batcher->barrier) : 0;
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        bytes += batcher->open[worker] != NULL ? batch_footprint(batcher->open[worker]) : 0;
    }
    return bytes;
}

void batcher_set_busy(Batcher *batcher, int worker, bool busy)
{
    batcher->busy[worker] = busy;
}

bool batcher_gathers(const Batcher *batcher)
{
    bool gathers = batcher->gained;
    for (int worker = 0; worker < batcher->options.workers && !gathers; worker++) {
        gathers = batcher->open[worker] != NULL && gains(batcher, batcher->open[worker]);
    }
    return gathers;
}

void batcher_set_late(Batcher *batcher, uint64_t usec)
{
    batcher->late_usec = usec;
}

/* Taking. */

Batch *batcher_take(Batcher *batcher)
{
    if (batcher->ready_count == 0) {
        return NULL;
    }
    Batch *batch = *slot_of(batcher, 0);
    batcher->ready_first = (batcher->ready_first + 1) & (batcher->ready_capacity - 1);
    batcher->ready_count--;
    return batch;
}

static Lsn lower(Lsn floor, const Batch *batch)
{
    return batch != NULL && batch->floor < floor ? batch->floor : floor;
}

Lsn batcher_floor(const Batcher *batcher)
{
    Lsn floor = batcher->uncommitted ? batcher->uncommitted_floor : batcher->point->last_end;
    for (size_t i = 0; i < batcher->ready_count; i++) {
        floor = lower(floor, *slot_of(batcher, i));
    }
    for (int worker = 0; worker < batcher->options.workers; worker++) {
        floor = lower(floor, batcher->open[worker]);
    }
    return lower(floor, batcher->barrier);
}
