/*
 * One run of the pipeline from the inside, shared by the rooms of this folder: one thread that reads, decodes and
 * schedules; workers apply on threads of their own.
 *
 *                        ┌───────────────────────── event loop (libuv) ──────────────────────────┐
 *     source ──socket──► │ receiver ──► decoder ──► frame, record ──► scheduler ──► dispatcher ───┼──► workers ──► target
 *            ◄─status──  │     ▲                       the cursor                       │         │        │
 *                        │     └───── low-water mark ◄── progress ◄── finished batches ─┴─ async ─┼────────┘
 *                        └───────────────────────────────────────────────────────────────────────┘
 *
 *     pipeline.c   makes a run and takes it down
 *     loop.c       the events, and what is waited for next
 *     feed.c       messages and records, up to the scheduler
 *     flow.c       batches out and back, memory, the low-water mark
 *     report.c     status updates to the source, numbers for the target
 *
 * Everything here is used on the event loop's thread, except wake().
 */
#pragma once

#include <uv.h>

#include "catalog.h"
#include "decoder.h"
#include "dispatch.h"
#include "heartbeat.h"
#include "pipeline.h"
#include "progress.h"
#include "receiver.h"
#include "scheduler.h"
#include "targets.h"
#include "witness.h"

typedef enum State { STREAMING, DRAINING, ENDED } State;

typedef struct Pipeline {
    const PipelineOptions *options;
    const ApplierOptions *applier;
    PipelineTotals *totals;
    PipelineTotals before; /* totals when this run began */
    State state;
    Error error; /* the first that came */

    int64_t epoch; /* with which this run took over the lanes */
    Receiver *receiver;
    Decoder *decoder;
    Catalog *catalog;
    Targets *targets;
    Scheduler *scheduler;
    Dispatcher *dispatcher;
    Progress *progress;
    Witness *witness;
    Heartbeat *heartbeat;
    uint64_t beat; /* the last one taken */

    DecodedFrame *frame; /* the cursor: frame and record to schedule next */
    size_t record;
    Lsn transaction; /* that the record belongs to: its commit */
    bool syncing;    /* it waits until everything before it is durable */

    atomic_size_t frame_bytes;
    size_t batch_bytes;  /* that batches which are out take beside their frames */
    bool more;           /* messages may be left in the receiver's buffer */
    bool came;           /* a message came since the socket was last read */
    bool bytes_wait;     /* the socket had more bytes than were read */
    Lsn confirmed;       /* in the last status update */
    uint64_t turn_usec;  /* when the present turn of the loop began */
    size_t turn_bytes;   /* of the frames that were decoded in it */
    uint64_t heard_usec; /* when the source said something last, or was not listened to */

    uv_loop_t loop;
    uv_poll_t source_poll;
    uv_poll_t stop_poll;
    uv_async_t done;
    uv_idle_t turn;        /* active while `more` */
    uv_timer_t look_timer; /* active while the source is looked at by the clock */
    uv_timer_t status_timer;
    uv_timer_t linger_timer;
    uv_timer_t report_timer;
    uv_timer_t drain_timer;
} Pipeline;

/* loop.c */
void loop_init(Pipeline *pipeline);
void loop_run(Pipeline *pipeline); /* until the run has ended */
void loop_close(Pipeline *pipeline);
void wake(void *pipeline);                         /* any thread: a batch is done */
void fail(Pipeline *pipeline, const Error *error); /* ends the run; the first error stays */
void drain(
    Pipeline *pipeline); /* begins a clean stop: nothing more is read, what the workers have is finished */

/* feed.c: takes the next message as far as it goes; false when there is none or when it has to wait. */
bool take_message(Pipeline *pipeline);

/* flow.c */
void close_batches(Pipeline *pipeline);   /* those that are due, for workers that are not busy */
void take_batches(Pipeline *pipeline);    /* from the scheduler to the dispatcher */
void collect_batches(Pipeline *pipeline); /* those that are done */
bool all_durable(const Pipeline *pipeline);
bool memory_full(const Pipeline *pipeline);
void advance(Pipeline *pipeline); /* moves the low-water mark as far as it may */

/* report.c */
int send_status(Pipeline *pipeline, bool request_reply, Error *error) MUST_CHECK;
bool news_for_source(
    const Pipeline *pipeline); /* all that was received is durable, and it does not know yet */
void publish(Pipeline *pipeline);
void give_counts(Pipeline *pipeline, bool all); /* to the reporter, if it is time; with all, at once */
