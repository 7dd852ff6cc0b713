/*
 * The event loop: one thread that reads, decodes and schedules; workers apply on threads of their own.
 *
 *                        ┌───────────────────────── event loop (libuv) ──────────────────────────┐
 *     source ──socket──► │ receiver ──► decoder ──► frame, record ──► scheduler ──► dispatcher ───┼──► workers ──► target
 *            ◄─status──  │     ▲                       the cursor                       │         │        │
 *                        │     └───── low-water mark ◄── progress ◄── finished batches ─┴─ async ─┼────────┘
 *                        └───────────────────────────────────────────────────────────────────────┘
 *
 * Every event (socket, timer, finished batch, signal) ends in pump(), which does what can be done now and never blocks:
 * feed records to the scheduler, read the next message when the frame before is used up, hand out batches, move the
 * low-water mark, and set timers and the socket's poll to what is waited for next. The exception is a relation that is
 * seen for the first time: the catalog is asked at once, one short query.
 *
 *     STREAMING ──signal, --until reached──► DRAINING ──nothing runs, or 3 s──► ended
 *         └──────────any error───────────────────┴──────────────────────────────► ended
 *
 * Order of confirmation. A batch that is done was committed; progress_done, then progress_advance, then the mark goes
 * into the next status update. Nothing else writes the mark. A keepalive moves the scheduler's own floor, and only when
 * all that came before it has been scheduled, which is always so here: a message is only taken when the frame before it
 * is used up.
 *
 * A changed relation. Rows under the old and the new definition must not meet in the workers, and the way the relation
 * spreads over lanes may change. So the cursor waits at the relation record until everything before it is durable and
 * every lane stands at that very point (scheduler_sync); then the catalog is asked anew.
 *
 * Memory. Frames and the change lists of batches are counted. Above the limit the socket is not read any more, which
 * makes the source wait, and open batches are closed, because only a batch that is done lets its frames go. At least
 * one frame is always let in, so that one larger than the limit passes too. Status updates go on meanwhile.
 *
 * Status updates go out by a timer, when the source asks, and as soon as everything received is durable.
 */
#include "pipeline.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "decoder.h"
#include "dispatch.h"
#include "progress.h"
#include "receiver.h"
#include "scheduler.h"
#include "targets.h"

#define MESSAGES_PER_TURN 64
#define REPORT_MS 200
#define UNTIL_STATUS_MS 100
#define DRAIN_MS 3000
#define SLOT_WAIT_MS 30000
#define LAST_STATUS_MS 1000
#define MAX_RAW_SIZE ((size_t)1 << 30)

typedef enum State { STREAMING, DRAINING, ENDED } State;

typedef struct Pipeline {
    const PipelineOptions *options;
    const ApplierOptions *applier;
    PipelineTotals *totals;
    PipelineTotals before; /* totals when this run began */
    State state;
    Error error;

    Receiver *receiver;
    Decoder *decoder;
    Catalog *catalog;
    Targets *targets;
    Scheduler *scheduler;
    Dispatcher *dispatcher;
    Progress *progress;

    DecodedFrame *frame; /* the cursor: frame and record to schedule next */
    size_t record;
    bool syncing; /* it waits at a changed relation */

    atomic_size_t frame_bytes;
    size_t batch_bytes; /* of the change lists of batches that are out */
    bool more;          /* messages may be left in the receiver's buffer */
    Lsn confirmed;      /* in the last status update */

    uv_loop_t loop;
    uv_poll_t source_poll;
    uv_poll_t stop_poll;
    uv_async_t done;
    uv_idle_t turn; /* active while `more` */
    uv_timer_t status_timer;
    uv_timer_t linger_timer;
    uv_timer_t report_timer;
    uv_timer_t drain_timer;
} Pipeline;

static void pump(Pipeline *pipeline);

static uint64_t now_usec(void)
{
    return uv_hrtime() / 1000;
}

/* Ending. */

static void end(Pipeline *pipeline)
{
    pipeline->state = ENDED;
    uv_stop(&pipeline->loop);
}

/* pipeline->error says why. The first error stays. */
static void fail(Pipeline *pipeline, const Error *error)
{
    if (pipeline->error.code == ERROR_NONE) {
        pipeline->error = *error;
    }
    end(pipeline);
}

static void drained(uv_timer_t *timer)
{
    end(timer->data);
}

/* Begins a clean stop: nothing more is read; what the workers have is finished. */
static void drain(Pipeline *pipeline)
{
    if (pipeline->state != STREAMING) {
        return;
    }
    pipeline->state = DRAINING;
    dispatcher_drop_waiting(pipeline->dispatcher);
    uv_timer_start(&pipeline->drain_timer, drained, DRAIN_MS, 0);
}

/* Status updates. */

static int send_status(Pipeline *pipeline, bool request_reply, Error *error)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    if (receiver_send_status(pipeline->receiver, pipeline->totals->received, low_water, request_reply,
                             error) != 0) {
        return -1;
    }
    pipeline->confirmed = low_water;
    return 0;
}

static void status_due(uv_timer_t *timer)
{
    Pipeline *pipeline = timer->data;
    Error error;
    if (send_status(pipeline, true, &error) != 0) {
        fail(pipeline, &error);
        return;
    }
    pump(pipeline);
}

/* Batches. */

static void take_batches(Pipeline *pipeline)
{
    for (Batch *batch = scheduler_take(pipeline->scheduler); batch != NULL;
         batch = scheduler_take(pipeline->scheduler)) {
        progress_begin(pipeline->progress, batch);
        pipeline->batch_bytes += batch->capacity * sizeof *batch->changes;
        dispatcher_add(pipeline->dispatcher, batch);
    }
}

static void count_batch(Pipeline *pipeline, const Batch *batch)
{
    PipelineTotals *totals = pipeline->totals;
    totals->batches++;
    totals->changes += batch->count + (batch->kind == BATCH_TRUNCATE);
    totals->statements += batch->statements;
    totals->written += batch->reduced;
    totals->by_rows += batch->by_rows;
    totals->barriers += batch->barrier;
}

static void collect_batches(Pipeline *pipeline)
{
    Error error = {0};
    for (Batch *batch = dispatcher_collect(pipeline->dispatcher, &error); batch != NULL;
         batch = dispatcher_collect(pipeline->dispatcher, &error)) {
        pipeline->batch_bytes -= batch->capacity * sizeof *batch->changes;
        if (error.code == ERROR_NONE) {
            progress_done(pipeline->progress, batch);
            count_batch(pipeline, batch);
        } else {
            fail(pipeline, &error);
        }
        batch_free(batch);
    }
}

static bool all_durable(const Pipeline *pipeline)
{
    return dispatcher_waiting(pipeline->dispatcher) + dispatcher_running(pipeline->dispatcher) == 0;
}

static bool memory_full(const Pipeline *pipeline)
{
    size_t used = atomic_load_explicit(&pipeline->frame_bytes, memory_order_relaxed) + pipeline->batch_bytes;
    return used > pipeline->applier->memory && !all_durable(pipeline);
}

static void advance(Pipeline *pipeline)
{
    PipelineTotals *totals = pipeline->totals;
    progress_advance(pipeline->progress, scheduler_floor(pipeline->scheduler));
    const ProgressTotals *mark = progress_totals(pipeline->progress);
    totals->low_water = mark->low_water;
    totals->transactions = pipeline->before.transactions + mark->transactions;
    totals->commit_time = mark->commit_time != 0 ? mark->commit_time : pipeline->before.commit_time;
    if (pipeline->applier->until != LSN_INVALID && mark->low_water >= pipeline->applier->until) {
        drain(pipeline);
    }
}

/* Records. */

/* False when the cursor has to wait until everything before it is durable. */
static bool pass_relation(Pipeline *pipeline, const SourceRelation *source)
{
    const ApplyRelation *target;
    Error error;
    if (targets_find(pipeline->targets, source, &target)) {
        return true;
    }
    if (targets_is_changed(pipeline->targets, source) && !pipeline->syncing) {
        scheduler_sync(pipeline->scheduler);
        take_batches(pipeline);
        pipeline->syncing = true;
    }
    if (pipeline->syncing && !all_durable(pipeline)) {
        return false;
    }
    pipeline->syncing = false;
    if (targets_resolve(pipeline->targets, source, &error) != 0) {
        fail(pipeline, &error);
    }
    return true;
}

/* The targets of the record's relations; *many is to be freed. */
static int find_targets(Pipeline *pipeline, const Record *record, const ApplyRelation **one,
                        const ApplyRelation ***many, Error *error)
{
    const SourceRelation *const *sources = &pipeline->frame->sources[pipeline->record];
    size_t count = record->kind == RECORD_ROWS ? 1 : 0;
    const ApplyRelation **out = one;
    if (record->kind == RECORD_TRUNCATE) {
        sources = pipeline->frame->truncated[pipeline->record];
        count = record->truncate.relation_count;
        out = *many = calloc(count + 1, sizeof *out);
        if (out == NULL) {
            return error_set(error, ERROR_SYSTEM, "no memory for a truncate of %zu relations", count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!targets_find(pipeline->targets, sources[i], &out[i])) {
            return error_set(error, ERROR_PROTOCOL, "changes of %s.%s came before its description",
                             sources[i]->schema, sources[i]->name);
        }
    }
    return 0;
}

static void schedule_record(Pipeline *pipeline, const Record *record)
{
    const ApplyRelation *one = NULL;
    const ApplyRelation **many = NULL;
    Error error;
    if (find_targets(pipeline, record, &one, &many, &error) != 0 ||
        scheduler_record(pipeline->scheduler, pipeline->frame, pipeline->record, many != NULL ? many : &one,
                         now_usec(), &error) != 0) {
        fail(pipeline, &error);
    } else if (record->kind == RECORD_COMMIT) {
        progress_commit(pipeline->progress, record->commit.end_lsn, record->commit.commit_time);
        if (record->commit.end_lsn > pipeline->totals->received) {
            pipeline->totals->received = record->commit.end_lsn;
        }
    }
    free(many);
}

/* Schedules what the cursor has; false when it has to wait. */
static bool feed(Pipeline *pipeline)
{
    while (pipeline->frame != NULL && pipeline->record < pipeline->frame->count &&
           pipeline->state == STREAMING) {
        const Record *record = &pipeline->frame->records[pipeline->record];
        if (record->kind != RECORD_RELATION) {
            schedule_record(pipeline, record);
        } else if (!pass_relation(pipeline, pipeline->frame->sources[pipeline->record])) {
            return false;
        }
        take_batches(pipeline);
        pipeline->record++;
    }
    frame_release(pipeline->frame);
    pipeline->frame = NULL;
    return true;
}

/* Messages. */

static int take_keepalive(Pipeline *pipeline, const Received *message, Error *error)
{
    if (message->wal_end > pipeline->totals->received) {
        pipeline->totals->received = message->wal_end;
    }
    scheduler_advance(pipeline->scheduler, message->wal_end);
    if (!message->reply_requested) {
        return 0;
    }
    advance(pipeline);
    return send_status(pipeline, false, error);
}

/* Takes the next message; false when there is none or when it has to wait. */
static bool take_message(Pipeline *pipeline)
{
    Received message;
    Error error;
    if (!feed(pipeline) || pipeline->state != STREAMING || memory_full(pipeline)) {
        return false;
    }
    int status = receiver_next(pipeline->receiver, &message, &error);
    if (status == 0 && message.kind == RECEIVED_DATA) {
        status = decoder_decode(pipeline->decoder, message.data, &pipeline->frame, &error);
        pipeline->record = 0;
    } else if (status == 0 && message.kind == RECEIVED_KEEPALIVE) {
        status = take_keepalive(pipeline, &message, &error);
    }
    if (status != 0) {
        fail(pipeline, &error);
        return false;
    }
    pipeline->more = message.kind != RECEIVED_NOTHING;
    return pipeline->more;
}

/* The loop's wishes: what is waited for next. */

static void source_ready(uv_poll_t *handle, int status, int events)
{
    Pipeline *pipeline = handle->data;
    Error error;
    if (status < 0) {
        error_set(&error, ERROR_CONNECTION, "polling the source's socket: %s", uv_strerror(status));
        fail(pipeline, &error);
        return;
    }
    if ((events & UV_READABLE) != 0 && receiver_read(pipeline->receiver, &error) != 0) {
        fail(pipeline, &error);
        return;
    }
    pipeline->more = true;
    pump(pipeline);
}

static void poll_source(Pipeline *pipeline)
{
    bool pending = false;
    Error error;
    if (receiver_flush(pipeline->receiver, &pending, &error) != 0) {
        fail(pipeline, &error);
        return;
    }
    bool reading = pipeline->state == STREAMING && pipeline->frame == NULL && !memory_full(pipeline);
    int events = (reading ? UV_READABLE : 0) | (pending ? UV_WRITABLE : 0);
    if (events == 0) {
        uv_poll_stop(&pipeline->source_poll);
    } else {
        uv_poll_start(&pipeline->source_poll, events, source_ready);
    }
}

static void linger_over(uv_timer_t *timer)
{
    pump(timer->data);
}

static void set_linger(Pipeline *pipeline)
{
    uint64_t deadline = scheduler_deadline(pipeline->scheduler), now = now_usec();
    if (deadline == UINT64_MAX) {
        uv_timer_stop(&pipeline->linger_timer);
        return;
    }
    uv_update_time(&pipeline->loop);
    uv_timer_start(&pipeline->linger_timer, linger_over, deadline > now ? (deadline - now) / 1000 + 1 : 1, 0);
}

static void next_turn(uv_idle_t *handle)
{
    pump(handle->data);
}

/* Everything that was received is durable and the source does not know yet. */
static bool news_for_source(const Pipeline *pipeline)
{
    Lsn low_water = progress_totals(pipeline->progress)->low_water;
    return low_water > pipeline->confirmed && all_durable(pipeline) &&
           scheduler_floor(pipeline->scheduler) == low_water;
}

static void settle(Pipeline *pipeline)
{
    Error error;
    if (pipeline->state == STREAMING) {
        scheduler_close(pipeline->scheduler, now_usec(), memory_full(pipeline));
        take_batches(pipeline);
    }
    if (pipeline->state == STREAMING) {
        dispatcher_run(pipeline->dispatcher);
        set_linger(pipeline);
    }
    advance(pipeline);
    if (pipeline->state == DRAINING && dispatcher_running(pipeline->dispatcher) == 0) {
        end(pipeline);
    }
    if (news_for_source(pipeline) && send_status(pipeline, false, &error) != 0) {
        fail(pipeline, &error);
    }
}

static void pump(Pipeline *pipeline)
{
    if (pipeline->state == ENDED) {
        return;
    }
    collect_batches(pipeline);
    for (int i = 0; i < MESSAGES_PER_TURN && take_message(pipeline); i++) {
    }
    if (pipeline->state == ENDED) {
        return;
    }
    settle(pipeline);
    if (pipeline->state == ENDED) {
        return;
    }
    poll_source(pipeline);
    bool can_go_on = pipeline->state == STREAMING && pipeline->more &&
                     (pipeline->frame == NULL || !pipeline->syncing) && !memory_full(pipeline);
    if (can_go_on) {
        uv_idle_start(&pipeline->turn, next_turn);
    } else {
        uv_idle_stop(&pipeline->turn);
    }
}

/* Other events. */

static void batch_finished(uv_async_t *handle)
{
    pump(handle->data);
}

static void wake(void *context)
{
    uv_async_send(context);
}

static void signalled(uv_poll_t *handle, int status, int events)
{
    Pipeline *pipeline = handle->data;
    (void)status;
    (void)events;
    uv_poll_stop(handle);
    if (stop_asked(pipeline->options->stop)) {
        log_line(&pipeline->applier->log, LOG_INFO, "stopping: finishing what the workers have");
        drain(pipeline);
        pump(pipeline);
    }
}

static void publish(Pipeline *pipeline)
{
    const PipelineTotals *totals = pipeline->totals;
    ReporterView view = {
        .state = "streaming",
        .received_lsn = totals->received,
        .low_water_lsn = totals->low_water,
        .last_commit_time = totals->commit_time,
        .transactions = totals->transactions,
        .changes = totals->changes,
    };
    snprintf(pipeline->totals->statistics, sizeof pipeline->totals->statistics,
             "{\"batches\": %llu, \"barriers\": %llu, \"statements\": %llu, \"rows_written\": %llu, "
             "\"fallbacks\": %llu, \"runs\": %llu, \"batches_waiting\": %zu, \"batches_running\": %zu, "
             "\"memory_bytes\": %zu}",
             (unsigned long long)totals->batches, (unsigned long long)totals->barriers,
             (unsigned long long)totals->statements, (unsigned long long)totals->written,
             (unsigned long long)totals->by_rows, (unsigned long long)totals->runs,
             dispatcher_waiting(pipeline->dispatcher), dispatcher_running(pipeline->dispatcher),
             atomic_load(&pipeline->frame_bytes) + pipeline->batch_bytes);
    memcpy(view.statistics, totals->statistics, sizeof view.statistics);
    reporter_publish(pipeline->options->reporter, &view);
}

static void report_due(uv_timer_t *timer)
{
    Pipeline *pipeline = timer->data;
    Error error;
    if (reporter_failed(pipeline->options->reporter, &error)) {
        error_context(&error, "the applier's lock on the target is lost");
        fail(pipeline, &error);
        return;
    }
    publish(pipeline);
}

/* Making and unmaking. */

static int make_scheduler(Pipeline *pipeline, const LanePosition *lanes, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    Position *positions = calloc((size_t)migration->lanes, sizeof *positions);
    if (positions == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for %d lanes", migration->lanes);
    }
    for (int lane = 0; lane < migration->lanes; lane++) {
        positions[lane] = (Position){lanes[lane].commit_lsn, lanes[lane].sequence};
    }
    SchedulerOptions options = {
        .lanes = migration->lanes,
        .workers = pipeline->applier->workers,
        .batch_rows = pipeline->applier->batch_rows,
        .batch_bytes = pipeline->applier->batch_bytes,
        .linger_usec = (uint64_t)pipeline->applier->linger_ms * 1000,
        .lane_positions = positions,
        .start = receiver_confirmed(pipeline->receiver),
    };
    pipeline->scheduler = scheduler_new(&options);
    pipeline->progress = progress_new(options.start);
    free(positions);
    return 0;
}

static int open_source(Pipeline *pipeline, const LanePosition *lanes, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    Lsn start = lanes[0].commit_lsn;
    for (int lane = 1; lane < migration->lanes; lane++) {
        start = lanes[lane].commit_lsn < start ? lanes[lane].commit_lsn : start;
    }
    ReceiverOptions receiver = {
        .source = pipeline->applier->source,
        .slot = migration->slot_name,
        .system = migration->source_system,
        .database = migration->source_database,
        .start = start,
        .slot_wait_ms = SLOT_WAIT_MS,
        .interrupt_fd = pipeline->options->stop->fd,
    };
    DecoderOptions decoder = {
        .encoding = migration->source_encoding,
        .max_raw_size = MAX_RAW_SIZE,
        .account = &pipeline->frame_bytes,
    };
    if (decoder_new(&decoder, &pipeline->decoder, error) != 0) {
        return -1;
    }
    return receiver_open(&receiver, &pipeline->receiver, error);
}

static int start_workers(Pipeline *pipeline, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    const ApplierOptions *applier = pipeline->applier;
    DispatcherOptions options = {
        .worker = {.target = applier->target,
                   .migration = migration->name,
                   .encoding = migration->source_encoding,
                   .log = &applier->log},
        .workers = applier->workers < migration->lanes ? applier->workers : migration->lanes,
        .wake = wake,
        .context = &pipeline->done,
    };
    return dispatcher_new(&options, &pipeline->dispatcher, error);
}

/* The lanes are read after the workers of an earlier applier are known to be gone. */
static int make(Pipeline *pipeline, Error *error)
{
    const Migration *migration = pipeline->options->migration;
    LanePosition *lanes = calloc((size_t)migration->lanes, sizeof *lanes);
    if (lanes == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for %d lanes", migration->lanes);
    }
    int status = -1;
    if (state_load_lanes(pipeline->options->target, migration, lanes, error) == 0 &&
        catalog_new(pipeline->options->target, migration->name, &pipeline->catalog, error) == 0 &&
        start_workers(pipeline, error) == 0 && open_source(pipeline, lanes, error) == 0) {
        pipeline->targets = targets_new(pipeline->catalog);
        status = make_scheduler(pipeline, lanes, error);
    }
    free(lanes);
    return status;
}

static void start_timers(Pipeline *pipeline)
{
    uint64_t interval = (uint64_t)pipeline->applier->status_interval_ms;
    /* The answers to status updates tell how far an idle source is. */
    if (pipeline->applier->until != LSN_INVALID && interval > UNTIL_STATUS_MS) {
        interval = UNTIL_STATUS_MS;
    }
    uv_timer_start(&pipeline->status_timer, status_due, 0, interval);
    uv_timer_start(&pipeline->report_timer, report_due, 0, REPORT_MS);
    uv_poll_start(&pipeline->stop_poll, UV_READABLE, signalled);
}

static void init_handles(Pipeline *pipeline)
{
    uv_loop_init(&pipeline->loop);
    uv_async_init(&pipeline->loop, &pipeline->done, batch_finished);
    uv_idle_init(&pipeline->loop, &pipeline->turn);
    uv_timer_init(&pipeline->loop, &pipeline->status_timer);
    uv_timer_init(&pipeline->loop, &pipeline->linger_timer);
    uv_timer_init(&pipeline->loop, &pipeline->report_timer);
    uv_timer_init(&pipeline->loop, &pipeline->drain_timer);
    uv_poll_init(&pipeline->loop, &pipeline->stop_poll, pipeline->options->stop->fd);
    pipeline->done.data = pipeline->turn.data = pipeline->status_timer.data = pipeline->linger_timer.data =
        pipeline->report_timer.data = pipeline->drain_timer.data = pipeline->stop_poll.data = pipeline;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* The last status update: the source need not send again what is durable. */
static void say_goodbye(Pipeline *pipeline)
{
    Error ignored;
    bool pending = true;
    advance(pipeline);
    if (send_status(pipeline, false, &ignored) != 0 ||
        receiver_flush(pipeline->receiver, &pending, &ignored) != 0 || !pending) {
        return;
    }
    struct pollfd descriptor = {.fd = receiver_socket(pipeline->receiver), .events = POLLOUT};
    if (poll(&descriptor, 1, LAST_STATUS_MS) > 0 &&
        receiver_flush(pipeline->receiver, &pending, &ignored) != 0) {
        return;
    }
}

static void unmake(Pipeline *pipeline)
{
    if (pipeline->dispatcher != NULL) {
        dispatcher_stop(pipeline->dispatcher);
        collect_batches(pipeline);
    }
    if (pipeline->progress != NULL) {
        say_goodbye(pipeline);
        publish(pipeline);
    }
    uv_walk(&pipeline->loop, close_handle, NULL);
    uv_run(&pipeline->loop, UV_RUN_DEFAULT);
    uv_loop_close(&pipeline->loop);
    receiver_close(pipeline->receiver);
    frame_release(pipeline->frame);
    dispatcher_free(pipeline->dispatcher);
    scheduler_free(pipeline->scheduler);
    progress_free(pipeline->progress);
    targets_free(pipeline->targets);
    catalog_free(pipeline->catalog);
    decoder_free(pipeline->decoder);
}

static void run(Pipeline *pipeline)
{
    uv_poll_init_socket(&pipeline->loop, &pipeline->source_poll, receiver_socket(pipeline->receiver));
    pipeline->source_poll.data = pipeline;
    pipeline->more = true;
    start_timers(pipeline);
    uv_run(&pipeline->loop, UV_RUN_DEFAULT);
}

int pipeline_run(const PipelineOptions *options, PipelineTotals *totals, bool *streamed, Error *error)
{
    Pipeline *pipeline = calloc(1, sizeof *pipeline);
    if (pipeline == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for the pipeline");
    }
    totals->runs++;
    pipeline->options = options;
    pipeline->applier = options->applier;
    pipeline->totals = totals;
    pipeline->before = *totals;
    init_handles(pipeline);
    *streamed = make(pipeline, &pipeline->error) == 0;
    if (*streamed) {
        char lsn[LSN_TEXT_SIZE];
        log_line(&pipeline->applier->log, LOG_INFO, "streaming from slot \"%s\" at %s",
                 options->migration->slot_name, lsn_format(receiver_confirmed(pipeline->receiver), lsn));
        run(pipeline);
    }
    unmake(pipeline);
    *error = pipeline->error;
    free(pipeline);
    return error->code == ERROR_NONE ? 0 : -1;
}
