/*
 * Why every change is applied exactly once, whatever dies and whenever. Each statement names where it is made true and
 * the tests that hold it.
 *
 *  1. The same WAL gives the same stream: a change is named for ever by (commit LSN, number in its transaction). That it
 *     is the same WAL is checked where the stream comes by a place at which a lane stands.
 *     decoder/, witness.c ............ t/102_decoder_transactions.pl, t/075_went_back.pl, test_witness
 *  2. A change has one lane, or two that move together, and the same in every run: it follows from the record and from
 *     the lane class of the table, which changes only while all lanes stand at one point.
 *     schedule/lane.c, durable.c ..... test_exactly_once, test_scheduler, t/111_lane_class.pl
 *  3. A batch has, with earlier batches of its worker, all that the lanes which it moves got up to the position that it
 *     moves them to. A worker commits its batches in order, and a barrier runs alone.
 *     schedule/batcher.c, runnable.c . test_exactly_once, test_scheduler
 *  4. Rows and position are written in one transaction, and no other statement moves a lane. When a statement touches
 *     another number of rows than it should, all of the transaction is rolled back.
 *     apply/apply.c, session.c ....... t/110_apply.pl, t/071_kill9.pl, t/076_target_waits.pl
 *  5. Only one run moves lanes: it takes them over before it reads them, and whoever had them before can commit nothing
 *     more. What it read stays true until it writes.
 *     state/lanes.c .................. t/072_two_appliers.pl
 *  6. So at any moment, by 3 to 5, the target has of each lane all changes up to its position, and none behind it.
 *  7. When the stream comes again, by 1 and 2, a change at or below its lane's position is there and is left out; one
 *     behind it is not there and is applied. So no change is there twice, and none is missing that comes.
 *     schedule/durable.c ............. test_exactly_once, t/070_restart.pl, t/071_kill9.pl
 *  8. Every transaction that ends at or below the low-water mark is at or below the position of every lane that it has
 *     changes in: the mark is the lowest floor of what is not done, and a floor lies below all changes of its batch.
 *     here, schedule/batcher.c ....... test_progress, test_exactly_once
 *  9. The mark is durable on the target before the source is told, and the source is told nothing else. So the slot never
 *     stands past what the target has; where it does, somebody moved it or the target went back: nothing is applied.
 *     pipeline/confirm.c, slot.c ..... t/113_durable.pl, t/073_life.pl, t/075_went_back.pl
 * 10. The stream starts at the lowest position of a lane or where the slot stands, whichever is further: by 8 and 9, all
 *     that a lane may lack comes.
 *     receive/receiver.c ............. test_receiver, test_exactly_once
 * 11. Of a copied table, changes of transactions that the copy's snapshot sees are left out, all others apply. One that
 *     is to be copied again takes no part until then, which is noted before anything behind that record is scheduled.
 *     schedule/scheduler.c, resolve.c  t/005_copy.pl, t/106_decoder_recopy.pl, t/091_new_tables.pl
 *
 * The low-water mark is the lowest of the floors of the batches that are out and of the scheduler's own; see
 * rule 1 in batcher.c for why that is safe. It never goes back. A batch that failed is never done, so it
 * holds the mark where it is for the rest of this pipeline.
 *
 * To say how many transactions are below the mark, and of when the newest is, each commit leaves a milestone
 * (end, count so far, time). Only as many as MILESTONES are kept: when they are all in use every other one is
 * dropped, which makes the two numbers coarser, never wrong about what is durable.
 *
 * Without commits, heartbeats say of when the mark is: each is the time of an end of WAL. The oldest that the mark has not
 * passed is waited for, and the newer ones are let go meanwhile, since commits say it better then.
 */
#include "progress.h"

#include <stdlib.h>
#include <string.h>

#define MILESTONES 1024

typedef struct Milestone {
    Lsn end_lsn;
    uint64_t transactions;
    int64_t commit_time;
} Milestone;

typedef struct Outstanding {
    uint64_t id;
    Lsn floor;
} Outstanding;

struct Progress {
    ProgressTotals totals;
    Outstanding *outstanding;
    size_t count;
    size_t capacity;
    Milestone milestones[MILESTONES]; /* ascending */
    size_t first;
    size_t last;     /* one behind */
    uint64_t stride; /* transactions between two of them */
    uint64_t scheduled;
    Lsn heartbeat_lsn; /* of the heartbeat that is waited for; LSN_INVALID: of none */
    int64_t heartbeat_time;
};

Progress *progress_new(Lsn start)
{
    Progress *progress = calloc(1, sizeof *progress);
    if (progress == NULL) {
        abort();
    }
    progress->totals.low_water = start;
    return progress;
}

void progress_free(Progress *progress)
{
    if (progress != NULL) {
        free(progress->outstanding);
        free(progress);
    }
}

void progress_begin(Progress *progress, const Batch *batch)
{
    if (progress->count == progress->capacity) {
        progress->capacity = progress->capacity == 0 ? 64 : progress->capacity * 2;
        progress->outstanding =
            reallocarray(progress->outstanding, progress->capacity, sizeof *progress->outstanding);
        if (progress->outstanding == NULL) {
            abort();
        }
    }
    progress->outstanding[progress->count++] = (Outstanding){.id = batch->id, .floor = batch->floor};
}

void progress_done(Progress *progress, const Batch *batch)
{
    for (size_t i = 0; i < progress->count; i++) {
        if (progress->outstanding[i].id == batch->id) {
            progress->outstanding[i] = progress->outstanding[--progress->count];
            return;
        }
    }
}

size_t progress_outstanding(const Progress *progress)
{
    return progress->count;
}

/* Makes room at the end: by moving what is left to the front or, when nothing has left, by thinning out. */
static void make_room(Progress *progress)
{
    size_t kept = 0;
    size_t step = progress->first == 0 ? 2 : 1;
    for (size_t i = progress->first + step - 1; i < progress->last; i += step) {
        progress->milestones[kept++] = progress->milestones[i];
    }
    progress->first = 0;
    progress->last = kept;
    progress->stride *= step;
}

/* True when the newest milestone is so near to the one before it that it may move on. */
static bool newest_may_move(const Progress *progress)
{
    if (progress->last - progress->first < 2) {
        return false;
    }
    return progress->scheduled - progress->milestones[progress->last - 2].transactions <= progress->stride;
}

void progress_commit(Progress *progress, Lsn end_lsn, int64_t commit_time)
{
    progress->scheduled++;
    if (progress->first == progress->last) {
        progress->first = progress->last = 0;
        progress->stride = 1;
    }
    if (newest_may_move(progress)) {
        progress->last--;
    } else if (progress->last == MILESTONES) {
        make_room(progress);
    }
    progress->milestones[progress->last++] =
        (Milestone){.end_lsn = end_lsn, .transactions = progress->scheduled, .commit_time = commit_time};
}

static void pass_heartbeat(Progress *progress)
{
    if (progress->heartbeat_lsn != LSN_INVALID && progress->heartbeat_lsn <= progress->totals.low_water) {
        progress->totals.heartbeat_time = progress->heartbeat_time;
        progress->heartbeat_lsn = LSN_INVALID;
    }
}

void progress_heartbeat(Progress *progress, Lsn wal_end, int64_t time)
{
    if (progress->heartbeat_lsn == LSN_INVALID) {
        progress->heartbeat_lsn = wal_end;
        progress->heartbeat_time = time;
        pass_heartbeat(progress);
    }
}

bool progress_advance(Progress *progress, Lsn scheduler_floor)
{
    Lsn mark = scheduler_floor;
    for (size_t i = 0; i < progress->count; i++) {
        mark = progress->outstanding[i].floor < mark ? progress->outstanding[i].floor : mark;
    }
    if (mark <= progress->totals.low_water) {
        return false;
    }
    progress->totals.low_water = mark;
    pass_heartbeat(progress);
    while (progress->first < progress->last && progress->milestones[progress->first].end_lsn <= mark) {
        progress->totals.transactions = progress->milestones[progress->first].transactions;
        progress->totals.commit_time = progress->milestones[progress->first].commit_time;
        progress->first++;
    }
    return true;
}

const ProgressTotals *progress_totals(const Progress *progress)
{
    return &progress->totals;
}
