/*
 * Order of confirmation. A batch that is done was committed; progress_done, then progress_advance, then the mark goes
 * into the next status update. Nothing else writes the mark.
 *
 * Size. A worker that has one batch to do and one to go on with is busy, and what comes for it meanwhile gathers in its
 * open batch. So batches are small, and soon there, when little comes, and as large as they may be in catching up.
 *
 * Memory. Counted are what batches take beside frames: their lists of changes, and once more the bytes of their values,
 * which a worker copies to send them.
 */
#include "outbox.h"

#include <stdlib.h>

#include "clock.h"

#define BUSY_LOAD 2

int outbox_open(Outbox *outbox, const DispatcherOptions *dispatcher, Error *error)
{
    return dispatcher_new(dispatcher, &outbox->dispatcher, error);
}

void outbox_begin(Outbox *outbox, const SchedulerOptions *schedule, Witness *witness)
{
    outbox->witness = witness;
    outbox->scheduler = scheduler_new(schedule);
    outbox->progress = progress_new(schedule->start);
}

void outbox_stop(Outbox *outbox)
{
    if (outbox->dispatcher != NULL) {
        dispatcher_stop(outbox->dispatcher);
    }
}

void outbox_close(Outbox *outbox)
{
    dispatcher_free(outbox->dispatcher);
    scheduler_free(outbox->scheduler);
    progress_free(outbox->progress);
    witness_free(outbox->witness);
}

static size_t footprint(const Batch *batch)
{
    return batch_footprint(batch) + batch->bytes;
}

/* From the scheduler to the dispatcher. */
static void take_batches(Outbox *outbox)
{
    for (Batch *batch = scheduler_take(outbox->scheduler); batch != NULL;
         batch = scheduler_take(outbox->scheduler)) {
        batch->last_time = witness_time(outbox->witness, batch);
        progress_begin(outbox->progress, batch);
        outbox->batch_bytes += footprint(batch);
        dispatcher_add(outbox->dispatcher, batch);
    }
}

/* The targets of the record's relations; *many is to be freed. */
static int find_targets(const Resolve *resolve, const DecodedFrame *frame, size_t index, Lsn transaction,
                        const ApplyRelation **one, const ApplyRelation ***many, Error *error)
{
    const Record *record = &frame->records[index];
    const SourceRelation *const *sources = &frame->sources[index];
    size_t count = record->kind == RECORD_ROWS ? 1 : 0;
    const ApplyRelation **out = one;
    if (record->kind == RECORD_TRUNCATE) {
        sources = frame->truncated[index];
        count = record->truncate.relation_count;
        out = *many = calloc(count + 1, sizeof *out);
        if (out == NULL) {
            return error_set(error, ERROR_SYSTEM, "no memory for a truncate of %zu relations", count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (resolve_target(resolve, sources[i], transaction, &out[i], error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Is this still the stream that the lanes come from? */
static int look_for_witnesses(Outbox *outbox, const Record *record, Error *error)
{
    if (record->kind == RECORD_BEGIN) {
        return witness_begin(outbox->witness, record->begin.commit_lsn, record->begin.commit_time, error);
    }
    bool passed = record->kind == RECORD_HEARTBEAT && !scheduler_in_transaction(outbox->scheduler);
    return passed ? witness_passed(outbox->witness, record->heartbeat.lsn, error) : 0;
}

int outbox_put(Outbox *outbox, const Resolve *resolve, DecodedFrame *frame, size_t index, uint64_t now_usec,
               Error *error)
{
    const Record *record = &frame->records[index];
    const ApplyRelation *one = NULL;
    const ApplyRelation **many = NULL;
    int status = look_for_witnesses(outbox, record, error);
    if (status == 0 && !scheduler_had(outbox->scheduler, record)) {
        status =
            find_targets(resolve, frame, index, scheduler_transaction(outbox->scheduler), &one, &many, error);
    }
    if (status == 0) {
        status =
            scheduler_record(outbox->scheduler, frame, index, many != NULL ? many : &one, now_usec, error);
    }
    free(many);
    if (status == 0 && record->kind == RECORD_BEGIN) {
        outbox->commit_time = record->begin.commit_time;
    }
    if (status == 0 && record->kind == RECORD_COMMIT) {
        progress_commit(outbox->progress, record->commit.end_lsn, record->commit.commit_time);
    }
    take_batches(outbox);
    return status;
}

int outbox_keepalive(Outbox *outbox, Lsn lsn, Error *error)
{
    if (witness_passed(outbox->witness, lsn, error) != 0) {
        return -1;
    }
    scheduler_advance(outbox->scheduler, lsn);
    return 0;
}

bool outbox_quiet(Outbox *outbox)
{
    if (!outbox->syncing) {
        scheduler_sync(outbox->scheduler);
        take_batches(outbox);
        outbox->syncing = true;
    }
    if (!outbox_idle(outbox)) {
        return false;
    }
    outbox->syncing = false;
    return true;
}

void outbox_hand_out(Outbox *outbox, Hurry hurry, uint64_t late_usec)
{
    scheduler_set_late(outbox->scheduler, late_usec);
    for (int worker = 0; worker < dispatcher_workers(outbox->dispatcher); worker++) {
        size_t load = dispatcher_load(outbox->dispatcher, worker);
        scheduler_set_busy(outbox->scheduler, worker, load >= BUSY_LOAD);
        if (hurry == HURRY_IDLE && load == 0) {
            scheduler_close_full(outbox->scheduler, worker);
        }
    }
    scheduler_close(outbox->scheduler, clock_usec(), hurry == HURRY_ALL);
    take_batches(outbox);
    dispatcher_run(outbox->dispatcher);
}

int outbox_collect(Outbox *outbox, Error *error)
{
    int status = 0;
    Error one = {0};
    for (Batch *batch = dispatcher_collect(outbox->dispatcher, &one); batch != NULL;
         batch = dispatcher_collect(outbox->dispatcher, &one)) {
        outbox->batch_bytes -= footprint(batch);
        if (one.code == ERROR_NONE) {
            progress_done(outbox->progress, batch);
            totals_count(outbox->totals, batch, clock_usec());
        } else if (status == 0) {
            *error = one;
            status = -1;
        }
        batch_free(batch);
    }
    return status;
}

void outbox_drop_waiting(Outbox *outbox)
{
    dispatcher_drop_waiting(outbox->dispatcher);
}

void outbox_advance(Outbox *outbox)
{
    progress_advance(outbox->progress, scheduler_floor(outbox->scheduler));
}

Lsn outbox_low_water(const Outbox *outbox)
{
    return progress_totals(outbox->progress)->low_water;
}

bool outbox_all_confirmed(const Outbox *outbox)
{
    return outbox_idle(outbox) && scheduler_floor(outbox->scheduler) == outbox_low_water(outbox);
}

bool outbox_gathers(const Outbox *outbox)
{
    return scheduler_gathers(outbox->scheduler);
}

size_t outbox_bytes(const Outbox *outbox)
{
    return outbox->batch_bytes + scheduler_footprint(outbox->scheduler);
}

size_t outbox_waiting(const Outbox *outbox)
{
    return dispatcher_waiting(outbox->dispatcher);
}

size_t outbox_running(const Outbox *outbox)
{
    return dispatcher_running(outbox->dispatcher);
}

bool outbox_idle(const Outbox *outbox)
{
    return outbox_waiting(outbox) + outbox_running(outbox) == 0;
}

uint64_t outbox_deadline(const Outbox *outbox)
{
    return scheduler_deadline(outbox->scheduler);
}
