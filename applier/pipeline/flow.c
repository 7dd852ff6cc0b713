/*
 * Batches on their way out and back, what they hold, and what may be confirmed.
 *
 * Order of confirmation. A batch that is done was committed; progress_done, then progress_advance, then the mark goes
 * into the next status update. Nothing else writes the mark.
 *
 * Size. A worker that has one batch to do and one to go on with is busy, and what comes for it meanwhile gathers in its
 * open batch. So batches are small, and soon there, when little comes, and as large as they may be in catching up.
 *
 * Memory. Counted are frames, and what batches take beside them: their lists of changes, and once more the bytes of
 * their values, which a worker copies to send them. Above the limit the socket is not read any more, which
 * makes the source wait, and open batches are closed, because only a batch that is done lets its frames go. At least
 * one frame is always let in, so that one larger than the limit passes too. Status updates go on meanwhile.
 */
#include "run.h"

#include "clock.h"

#define BUSY_LOAD 2

static size_t footprint(const Batch *batch)
{
    return batch->capacity * sizeof *batch->changes + batch->bytes;
}

void close_batches(Pipeline *pipeline)
{
    for (int worker = 0; worker < dispatcher_workers(pipeline->dispatcher); worker++) {
        bool busy = dispatcher_load(pipeline->dispatcher, worker) >= BUSY_LOAD;
        scheduler_set_busy(pipeline->scheduler, worker, busy);
    }
    scheduler_close(pipeline->scheduler, clock_usec(), memory_full(pipeline));
}

void take_batches(Pipeline *pipeline)
{
    for (Batch *batch = scheduler_take(pipeline->scheduler); batch != NULL;
         batch = scheduler_take(pipeline->scheduler)) {
        batch->last_time = witness_time(pipeline->witness, batch);
        progress_begin(pipeline->progress, batch);
        pipeline->batch_bytes += footprint(batch);
        dispatcher_add(pipeline->dispatcher, batch);
    }
}

void collect_batches(Pipeline *pipeline)
{
    Error error = {0};
    for (Batch *batch = dispatcher_collect(pipeline->dispatcher, &error); batch != NULL;
         batch = dispatcher_collect(pipeline->dispatcher, &error)) {
        pipeline->batch_bytes -= footprint(batch);
        if (error.code == ERROR_NONE) {
            progress_done(pipeline->progress, batch);
            totals_count(pipeline->totals, batch, clock_usec());
        } else {
            fail(pipeline, &error);
        }
        batch_free(batch);
    }
}

bool all_durable(const Pipeline *pipeline)
{
    return dispatcher_waiting(pipeline->dispatcher) + dispatcher_running(pipeline->dispatcher) == 0;
}

bool memory_full(const Pipeline *pipeline)
{
    size_t used = atomic_load_explicit(&pipeline->frame_bytes, memory_order_relaxed) + pipeline->batch_bytes;
    return used > pipeline->applier->memory && !all_durable(pipeline);
}

void advance(Pipeline *pipeline)
{
    PipelineTotals *totals = pipeline->totals;
    progress_advance(pipeline->progress, scheduler_floor(pipeline->scheduler));
    const ProgressTotals *mark = progress_totals(pipeline->progress);
    totals->low_water = mark->low_water;
    totals->transactions = pipeline->before.transactions + mark->transactions;
    totals->commit_time = mark->commit_time != 0 ? mark->commit_time : pipeline->before.commit_time;
    totals->heartbeat_time =
        mark->heartbeat_time != 0 ? mark->heartbeat_time : pipeline->before.heartbeat_time;
    if (pipeline->applier->until != LSN_INVALID && mark->low_water >= pipeline->applier->until) {
        drain(pipeline);
    }
}
