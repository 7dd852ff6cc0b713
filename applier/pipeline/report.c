/*
 * What is told to others: to the target, by the reporter, and to the source, by status updates (by a timer, when it asks,
 * and as soon as everything that was received is durable).
 *
 * The low-water mark goes to the target first. The source is told of it once the target has it, so that at the next start
 * a slot that stands further than the target says was moved by someone else, or the target lost something.
 */
#include "run.h"

#include "clock.h"

/* What may be confirmed: never less than the slot has already, which would move it back. */
static Lsn confirmable(const Pipeline *pipeline)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    Lsn written = reporter_written(pipeline->options->reporter);
    Lsn least = receiver_confirmed(pipeline->receiver);
    Lsn lower = written < low_water ? written : low_water;
    return lower > least ? lower : least;
}

int send_status(Pipeline *pipeline, bool request_reply, Error *error)
{
    Lsn durable = confirmable(pipeline);
    if (receiver_send_status(pipeline->receiver, pipeline->totals->received, durable, request_reply, error) !=
        0) {
        return -1;
    }
    pipeline->confirmed = durable;
    return 0;
}

bool news_for_source(const Pipeline *pipeline)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    return confirmable(pipeline) > pipeline->confirmed && all_durable(pipeline) &&
           scheduler_floor(pipeline->scheduler) == low_water;
}

void give_counts(Pipeline *pipeline, bool all)
{
    Reporter *reporter = pipeline->options->reporter;
    CountsReport report = {0};
    if ((all || reporter_takes_counts(reporter)) &&
        counts_take(pipeline->totals->counts, clock_usec(), all, &report)) {
        reporter_give_counts(reporter, &report);
    }
}

static void take_heartbeat(Pipeline *pipeline)
{
    Beat beat = heartbeat_last(pipeline->heartbeat);
    if (beat.number != pipeline->beat) {
        pipeline->beat = beat.number;
        pipeline->totals->source = beat.wal_end;
        progress_heartbeat(pipeline->progress, beat.wal_end, beat.time);
        advance(pipeline);
    }
}

void publish(Pipeline *pipeline)
{
    PipelineLoad load = {
        .waiting = dispatcher_waiting(pipeline->dispatcher),
        .running = dispatcher_running(pipeline->dispatcher),
        .memory = atomic_load(&pipeline->frame_bytes) + pipeline->batch_bytes,
    };
    ReporterView view;
    take_heartbeat(pipeline);
    totals_look(pipeline->totals, clock_usec());
    totals_view(pipeline->totals, "streaming", &load, &view);
    reporter_publish(pipeline->options->reporter, &view);
    give_counts(pipeline, false);
}
