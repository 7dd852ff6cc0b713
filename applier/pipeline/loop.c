/*
 * Every event (socket, timer, finished batch, signal) ends in pump(), which does what can be done now and never blocks:
 * take back finished batches, feed records to the scheduler, hand out batches, move the low-water mark, and set timers
 * and the socket's poll to what is waited for next. The exception is a relation that is seen for the first time: the
 * catalog is asked at once, one short query.
 *
 * While messages keep coming the socket is not polled but looked at by the clock, LOOK_MS after it was found empty: the
 * walsender then need not wake this thread for every message, nor this thread be woken for every one.
 *
 *     STREAMING ──signal, --until reached──► DRAINING ──nothing runs, or 3 s──► ENDED
 *         └──────────any error───────────────────┴──────────────────────────────► ENDED
 */
#include "run.h"

#include <poll.h>

#include "clock.h"

/* After so much, what has come up meanwhile is seen to: batches that are done, workers that wait. */
#define MESSAGES_PER_TURN 64
#define BYTES_PER_TURN (512 * 1024)
#define LOOK_MS 1
#define REPORT_MS 200
#define UNTIL_STATUS_MS 100
#define DRAIN_MS 3000

static void pump(Pipeline *pipeline);

static void end(Pipeline *pipeline)
{
    pipeline->state = ENDED;
    uv_stop(&pipeline->loop);
}

void fail(Pipeline *pipeline, const Error *error)
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

void drain(Pipeline *pipeline)
{
    if (pipeline->state != STREAMING) {
        return;
    }
    pipeline->state = DRAINING;
    dispatcher_drop_waiting(pipeline->dispatcher);
    uv_timer_start(&pipeline->drain_timer, drained, DRAIN_MS, 0);
}

static bool reading(const Pipeline *pipeline)
{
    return pipeline->state == STREAMING && pipeline->frame == NULL && !memory_full(pipeline);
}

/* True when the source should have said something and has not for so long: each status update asks it to. */
static bool source_silent(Pipeline *pipeline)
{
    struct pollfd descriptor = {.fd = receiver_socket(pipeline->receiver), .events = POLLIN};
    uint64_t timeout = (uint64_t)pipeline->applier->timeout_s * 1000000;
    if (!reading(pipeline) || poll(&descriptor, 1, 0) != 0) {
        pipeline->heard_usec = clock_usec();
    }
    return timeout != 0 && clock_usec() - pipeline->heard_usec > timeout;
}

static void status_due(uv_timer_t *timer)
{
    Pipeline *pipeline = timer->data;
    Error error;
    if (source_silent(pipeline)) {
        error_set(&error, ERROR_CONNECTION, "the source has not answered for %d s",
                  pipeline->applier->timeout_s);
        fail(pipeline, &error);
        return;
    }
    if (send_status(pipeline, true, &error) != 0) {
        fail(pipeline, &error);
        return;
    }
    pump(pipeline);
}

static void read_source(Pipeline *pipeline)
{
    Error error;
    if (receiver_read(pipeline->receiver, &pipeline->bytes_wait, &error) != 0) {
        fail(pipeline, &error);
    }
    pipeline->came = false;
    pipeline->more = true;
}

static void source_ready(uv_poll_t *handle, int status, int events)
{
    Pipeline *pipeline = handle->data;
    Error error;
    /* An error of the socket is libpq's to read and to put into words. */
    if (status < 0 || (events & UV_READABLE) != 0) {
        read_source(pipeline);
    }
    if (status < 0) {
        error_set(&error, ERROR_CONNECTION, "polling the source's socket: %s", uv_strerror(status));
        fail(pipeline, &error);
    }
    pump(pipeline);
}

static void look_due(uv_timer_t *timer)
{
    Pipeline *pipeline = timer->data;
    if (reading(pipeline)) {
        read_source(pipeline);
    }
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
    bool by_clock = reading(pipeline) && !pipeline->more && pipeline->came && !pipeline->bytes_wait;
    if (by_clock && !uv_is_active((uv_handle_t *)&pipeline->look_timer)) {
        uv_timer_start(&pipeline->look_timer, look_due, LOOK_MS, 0);
    }
    bool polled = reading(pipeline) && !by_clock && !pipeline->more;
    int events = (polled ? UV_READABLE : 0) | (pending ? UV_WRITABLE : 0);
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
    uint64_t deadline = scheduler_deadline(pipeline->scheduler), now = clock_usec();
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

static void settle(Pipeline *pipeline)
{
    Error error;
    if (pipeline->state == STREAMING) {
        close_batches(pipeline);
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
    pipeline->turn_usec = clock_usec();
    collect_batches(pipeline);
    pipeline->turn_bytes = 0;
    for (int i = 0; i < MESSAGES_PER_TURN && pipeline->turn_bytes < BYTES_PER_TURN && take_message(pipeline);
         i++) {
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

static void batch_finished(uv_async_t *handle)
{
    pump(handle->data);
}

void wake(void *context)
{
    Pipeline *pipeline = context;
    uv_async_send(&pipeline->done);
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
    pump(pipeline);
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

void loop_init(Pipeline *pipeline)
{
    uv_loop_init(&pipeline->loop);
    uv_async_init(&pipeline->loop, &pipeline->done, batch_finished);
    uv_idle_init(&pipeline->loop, &pipeline->turn);
    uv_timer_init(&pipeline->loop, &pipeline->look_timer);
    uv_timer_init(&pipeline->loop, &pipeline->status_timer);
    uv_timer_init(&pipeline->loop, &pipeline->linger_timer);
    uv_timer_init(&pipeline->loop, &pipeline->report_timer);
    uv_timer_init(&pipeline->loop, &pipeline->drain_timer);
    uv_poll_init(&pipeline->loop, &pipeline->stop_poll, pipeline->options->stop->fd);
    pipeline->done.data = pipeline->turn.data = pipeline->status_timer.data = pipeline->linger_timer.data =
        pipeline->report_timer.data = pipeline->drain_timer.data = pipeline->stop_poll.data =
            pipeline->look_timer.data = pipeline;
}

static void close_handle(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

void loop_run(Pipeline *pipeline)
{
    uv_poll_init_socket(&pipeline->loop, &pipeline->source_poll, receiver_socket(pipeline->receiver));
    pipeline->source_poll.data = pipeline;
    pipeline->more = true;
    pipeline->heard_usec = clock_usec();
    start_timers(pipeline);
    uv_run(&pipeline->loop, UV_RUN_DEFAULT);
}

void loop_close(Pipeline *pipeline)
{
    uv_walk(&pipeline->loop, close_handle, NULL);
    do { /* once more when an end that was asked for after the last turn ends this one at once */
        uv_run(&pipeline->loop, UV_RUN_DEFAULT);
    } while (uv_loop_close(&pipeline->loop) == UV_EBUSY);
}
