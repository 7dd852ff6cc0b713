/*
 * What is told to others: to the source, by status updates (by a timer, when it asks, and as soon as everything that was
 * received is durable), and to the target, by the reporter.
 */
#include "run.h"

int send_status(Pipeline *pipeline, bool request_reply, Error *error)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    if (receiver_send_status(pipeline->receiver, pipeline->totals->received, low_water, request_reply,
                             error) != 0) {
        return -1;
    }
    pipeline->confirmed = low_water;
    return 0;
}

bool news_for_source(const Pipeline *pipeline)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    return low_water > pipeline->confirmed && all_durable(pipeline) &&
           scheduler_floor(pipeline->scheduler) == low_water;
}

void publish(Pipeline *pipeline)
{
    PipelineLoad load = {
        .waiting = dispatcher_waiting(pipeline->dispatcher),
        .running = dispatcher_running(pipeline->dispatcher),
        .memory = atomic_load(&pipeline->frame_bytes) + pipeline->batch_bytes,
    };
    ReporterView view;
    totals_look(pipeline->totals, now_usec());
    totals_view(pipeline->totals, "streaming", &load, &view);
    reporter_publish(pipeline->options->reporter, &view);
}
