/*
 * One run of the pipeline from the inside, for pipeline.c, which makes it and takes it down, and for loop.c, which runs it.
 *
 *     ┌──────────────────────────────── event loop (libuv), one thread ─────────────────────────────────┐
 *     │                                                                                                  │
 *     │  source ─socket─► INTAKE ─record─► RESOLVE ─record, targets─► OUTBOX ──────────► CONFIRM ─status─┼─► source
 *     │                   receiver         catalog                    scheduler          low-water mark  │
 *     │                   decoder             ▲│                      dispatcher         reporter ───────┼─► target
 *     │                                       ││                      progress                           │
 *     └───────────────────────────────────────┼┼───────────────────────▲│────────────────────────────────┘
 *                                       answer│▼question           batch│▼batch
 *                                         resolver ──► target         workers ──► target
 *
 * Data goes from left to right; what comes back comes by wake(): answers, and batches that are done. A stage knows those
 * before it only by what they hand on, and none knows the loop. The order of a turn is in loop.c.
 */
#pragma once

#include <uv.h>

#include "awaited.h"
#include "confirm.h"
#include "intake.h"
#include "meet.h"
#include "outbox.h"
#include "pipeline.h"
#include "resolve.h"

typedef enum State { STREAMING, DRAINING, ENDED } State;

typedef struct Pipeline {
    const PipelineOptions *options;
    const ApplierOptions *applier;
    PipelineTotals *totals;
    int64_t epoch; /* with which this run took over the lanes */
    State state;
    Error error; /* the first that came */

    Intake intake;
    Resolve resolve;
    Meet meet;
    Outbox outbox;
    Awaited awaited;
    Confirm confirm;

    bool
        fenced; /* of what was read ahead last not all could be asked for: more is not read to be asked for */
    Step step;  /* what came of the last one: what is waited for */
    uint64_t turn_usec;  /* when the present turn of the loop began */
    uint64_t heard_usec; /* when the source said something last, or was not listened to */

    uv_loop_t loop;
    uv_poll_t source_poll;
    uv_poll_t stop_poll;
    uv_async_t wake;
    uv_idle_t turn;        /* active while there is more to do at once */
    uv_timer_t look_timer; /* active while the source is looked at by the clock */
    uv_timer_t status_timer;
    uv_timer_t linger_timer;
    uv_timer_t report_timer;
    uv_timer_t meet_timer; /* active while a point to compare at is on its way */
    uv_timer_t drain_timer;
} Pipeline;

void loop_init(Pipeline *pipeline);
void loop_run(Pipeline *pipeline); /* until the run has ended */
void loop_close(Pipeline *pipeline);

/* The source has said something, and may want an answer. */
int loop_heard(Pipeline *pipeline, Error *error) MUST_CHECK;

/* What is held takes as much as it may, and something is under way that will let go of some. */
bool loop_memory_full(const Pipeline *pipeline);

/* Reading ahead of the cursor (ahead.c). Each takes one message at most. */
Step ahead_to_compare(Pipeline *pipeline, Error *error); /* the cursor stands still for a comparison */
Step ahead_to_ask(Pipeline *pipeline, Error *error);     /* it waits for the resolver */
void ahead_passed(Pipeline *pipeline);                   /* it has come to another message */

/* Any thread: a batch is done, or a question is answered. */
void loop_wake(void *pipeline);
