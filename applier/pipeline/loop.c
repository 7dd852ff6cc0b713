/*
 * Every event (socket, timer, finished batch, answer, signal) ends in pump(), one turn, which does what can be done now and
 * never waits for anybody:
 *
 *     1  collect    batches that are done, questions that are answered
 *     2  step …     message ► record ► its relations ► scheduler, until a stage wants something or the turn has been long
 *     3  hand out   batches that are due, to workers; all of them when somebody waits for what they are in (awaited.h)
 *     4  confirm    low-water mark, status update
 *     5  wait       set timers and the socket's poll to what the last step wants (the table `wants`)
 *
 * While messages keep coming the socket is not polled but looked at by the clock, LOOK_MS after it was found empty: the
 * walsender then need not wake this thread for every message, nor this thread be woken for every one.
 *
 * Above the limit of memory (room) the socket is not read any more, which makes the source wait, and open batches are closed,
 * because only a batch that is done lets its frames go. At least one frame is always let in, so that one larger than the
 * limit passes too. Status updates go on meanwhile.
 */
#include "run.h"

#include <poll.h>

#include "clock.h"

/* After so much, what has come up meanwhile is seen to: batches that are done, workers that wait. */
#define MESSAGES_PER_TURN 64
#define LOOK_MS 1
#define MEET_MS 5
#define REPORT_MS 200
#define UNTIL_STATUS_MS 100
#define DRAIN_MS 3000

/* What is waited for after each step. What is not said here comes by wake(). */
static const struct {
    bool again;  /* nothing: the next turn follows at once */
    bool source; /* the socket */
} wants[] = {
    [STEP_TOOK] = {.again = true},
    [STEP_EMPTY] = {.source = true},
    [STEP_FULL] = {0},            /* a batch that is done */
    [STEP_NEEDS_RELATIONS] = {0}, /* an answer */
    [STEP_NEEDS_QUIET] = {0},     /* batches that are done */
    [STEP_HELD] = {0},            /* an answer, asked for a few times a second */
    [STEP_ASKS_AHEAD] = {.source = true},
    [STEP_LOOKS_AHEAD] = {.source = true},
    [STEP_AGAIN] = {0},  /* the run has ended */
    [STEP_FAILED] = {0}, /* the run has ended */
};

static void pump(Pipeline *pipeline);

/* How a run ends: each row is a move that is allowed, anything else is ignored. */
typedef enum Event { ASKED_TO_STOP, ENDS_FOR_ANOTHER, NOTHING_RUNS, TOOK_TOO_LONG, FAILED } Event;

static void begin_drain(Pipeline *pipeline);
static void end_for_another(Pipeline *pipeline);
static void end(Pipeline *pipeline);

static const struct {
    State from;
    Event event;
    State to;
    void (*action)(Pipeline *pipeline);
} moves[] = {
    {STREAMING, ASKED_TO_STOP, DRAINING,
     begin_drain}, /* nothing more is read, what the workers have is finished */
    {STREAMING, ENDS_FOR_ANOTHER, ENDED, end_for_another},
    {STREAMING, FAILED, ENDED, end},
    {DRAINING, NOTHING_RUNS, ENDED, end},
    {DRAINING, TOOK_TOO_LONG, ENDED, end},
    {DRAINING, FAILED, ENDED, end},
};

static void move(Pipeline *pipeline, Event event)
{
    for (size_t i = 0; i < sizeof moves / sizeof *moves; i++) {
        if (moves[i].from == pipeline->state && moves[i].event == event) {
            pipeline->state = moves[i].to;
            moves[i].action(pipeline);
            return;
        }
    }
}

static void end(Pipeline *pipeline)
{
    uv_stop(&pipeline->loop);
}

static void end_for_another(Pipeline *pipeline)
{
    *pipeline->options->again = true;
    end(pipeline);
}

static void drained(uv_timer_t *timer)
{
    move(timer->data, TOOK_TOO_LONG);
}

static void begin_drain(Pipeline *pipeline)
{
    outbox_drop_waiting(&pipeline->outbox);
    uv_timer_start(&pipeline->drain_timer, drained, DRAIN_MS, 0);
}

/* The first error stays. */
static void fail(Pipeline *pipeline, const Error *error)
{
    if (pipeline->error.code == ERROR_NONE) {
        pipeline->error = *error;
    }
    move(pipeline, FAILED);
}

static void check(Pipeline *pipeline, int status, const Error *error)
{
    if (status != 0) {
        fail(pipeline, error);
    }
}

/* One step. */

static size_t memory_used(const Pipeline *pipeline)
{
    return intake_bytes(&pipeline->intake) + outbox_bytes(&pipeline->outbox);
}

/* The second half of the memory is for changes that are worth gathering. Of others more than the workers can begin gain nothing. */
static size_t room(const Pipeline *pipeline)
{
    size_t memory = pipeline->applier->memory;
    return outbox_gathers(&pipeline->outbox) ? memory : memory / 2;
}

bool loop_memory_full(const Pipeline *pipeline)
{
    return memory_used(pipeline) > room(pipeline) && !outbox_idle(&pipeline->outbox);
}

int loop_heard(Pipeline *pipeline, Error *error)
{
    pipeline->heard_usec = pipeline->turn_usec;
    if (!pipeline->intake.asked) {
        return 0;
    }
    confirm_advance(&pipeline->confirm);
    return confirm_send(&pipeline->confirm, false, error);
}

/* A message becomes the cursor's frame, or moves the stream's end. */
static Step take_message(Pipeline *pipeline, Error *error)
{
    Step step = loop_memory_full(pipeline) ? STEP_FULL : intake_next(&pipeline->intake, error);
    if (step != STEP_TOOK) {
        return step;
    }
    ahead_passed(pipeline);
    Lsn keepalive = pipeline->intake.keepalive;
    if (keepalive != LSN_INVALID && outbox_keepalive(&pipeline->outbox, keepalive, error) != 0) {
        return STEP_FAILED;
    }
    return loop_heard(pipeline, error) == 0 ? STEP_TOOK : STEP_FAILED;
}

static Step resolve_cursor(Pipeline *pipeline, bool quiet, Error *error)
{
    const Intake *intake = &pipeline->intake;
    if (scheduler_had(pipeline->outbox.scheduler, intake_record(intake))) {
        resolve_passed(&pipeline->resolve, intake_record(intake), intake->transaction);
        return STEP_TOOK;
    }
    bool even = scheduler_even(pipeline->outbox.scheduler);
    return resolve_record(&pipeline->resolve, intake->frame, intake->record, intake->transaction, quiet, even,
                          error);
}

/* Nothing is scheduled any more once parts of tables have to be copied anew. */
static Step recopy_parts(Pipeline *pipeline)
{
    size_t count;
    const int64_t *jobs = scheduler_recopy(pipeline->outbox.scheduler, &count);
    return count == 0 ? STEP_TOOK
                      : resolve_recopy(&pipeline->resolve, jobs, count, outbox_quiet(&pipeline->outbox));
}

static Step ask_meet(Pipeline *pipeline, bool quiet)
{
    const MeetCursor cursor = {
        .record = intake_record(&pipeline->intake),
        .received = pipeline->intake.received,
        .quiet = quiet,
        .full = intake_bytes(&pipeline->intake) > pipeline->applier->memory,
        .now_usec = pipeline->turn_usec,
    };
    return meet_step(&pipeline->meet, &cursor);
}

/* May the cursor go on, as far as a comparison of both sides is concerned? */
static Step meet(Pipeline *pipeline)
{
    if (!meet_is_busy(&pipeline->meet)) {
        return STEP_TOOK;
    }
    Step step = ask_meet(pipeline, false);
    if (step == STEP_NEEDS_QUIET && outbox_quiet(&pipeline->outbox)) {
        step = ask_meet(pipeline, true);
    }
    return step;
}

static Step take_record(Pipeline *pipeline, Error *error)
{
    Intake *intake = &pipeline->intake;
    Step step = recopy_parts(pipeline);
    if (step != STEP_TOOK) {
        return step;
    }
    step = resolve_cursor(pipeline, false, error);
    if (step == STEP_NEEDS_QUIET && outbox_quiet(&pipeline->outbox)) {
        step = resolve_cursor(pipeline, true, error);
    }
    if (step != STEP_TOOK) {
        return step;
    }
    if (outbox_put(&pipeline->outbox, &pipeline->resolve, intake->frame, intake->record, pipeline->turn_usec,
                   error) != 0) {
        return STEP_FAILED;
    }
    awaited_came(&pipeline->awaited, intake_record(intake), intake->transaction);
    step = recopy_parts(pipeline);
    if (step == STEP_TOOK) {
        meet_passed(&pipeline->meet, intake_record(intake));
        intake_pass(intake);
    }
    return step;
}

static Step take_step(Pipeline *pipeline, Error *error)
{
    Step step = meet(pipeline);
    if (step == STEP_LOOKS_AHEAD) {
        return ahead_to_compare(pipeline, error);
    }
    if (step != STEP_TOOK) {
        return step;
    }
    if (intake_record(&pipeline->intake) == NULL) {
        return take_message(pipeline, error);
    }
    step = take_record(pipeline, error);
    return step == STEP_NEEDS_RELATIONS ? ahead_to_ask(pipeline, error) : step;
}

static void take_steps(Pipeline *pipeline)
{
    Error error;
    int messages = 0;
    intake_begin_turn(&pipeline->intake);
    do {
        bool message = intake_record(&pipeline->intake) == NULL;
        if (message && (messages++ == MESSAGES_PER_TURN || intake_turn_is_long(&pipeline->intake))) {
            return;
        }
        pipeline->step = take_step(pipeline, &error);
    } while (pipeline->step == STEP_TOOK);
    if (pipeline->step == STEP_FAILED) {
        fail(pipeline, &error);
    } else if (pipeline->step == STEP_AGAIN) {
        move(pipeline, ENDS_FOR_ANOTHER);
    }
}

/* Waiting. */

/* Whether the source is listened to. */
static bool reading(const Pipeline *pipeline)
{
    return pipeline->state == STREAMING && wants[pipeline->step].source;
}

static void read_source(Pipeline *pipeline)
{
    Error error;
    check(pipeline, intake_read(&pipeline->intake, &error), &error);
    pipeline->step = STEP_TOOK;
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
    if (receiver_flush(pipeline->intake.receiver, &pending, &error) != 0) {
        fail(pipeline, &error);
        return;
    }
    bool by_clock = reading(pipeline) && pipeline->intake.came && !pipeline->intake.bytes_wait;
    if (by_clock && !uv_is_active((uv_handle_t *)&pipeline->look_timer)) {
        uv_timer_start(&pipeline->look_timer, look_due, LOOK_MS, 0);
    }
    int events = (reading(pipeline) && !by_clock ? UV_READABLE : 0) | (pending ? UV_WRITABLE : 0);
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
    uint64_t deadline = outbox_deadline(&pipeline->outbox), now = clock_usec();
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

static void wait(Pipeline *pipeline)
{
    poll_source(pipeline);
    if (pipeline->state == STREAMING) {
        set_linger(pipeline);
    }
    if (pipeline->state == STREAMING && wants[pipeline->step].again) {
        uv_idle_start(&pipeline->turn, next_turn);
    } else {
        uv_idle_stop(&pipeline->turn);
    }
}

/* One turn. */

static void meet_due(uv_timer_t *timer)
{
    Pipeline *pipeline = timer->data;
    Error error;
    meet_look(&pipeline->meet, clock_usec());
    if (meet_wants_answer(&pipeline->meet)) {
        check(pipeline, confirm_send(&pipeline->confirm, true, &error), &error);
    }
    pump(pipeline);
}

static void collect(Pipeline *pipeline)
{
    Error error;
    check(pipeline, outbox_collect(&pipeline->outbox, &error), &error);
    check(pipeline, resolve_collect(&pipeline->resolve, &pipeline->meet, &error), &error);
    if (!meet_is_busy(&pipeline->meet)) {
        uv_timer_stop(&pipeline->meet_timer);
    } else if (!uv_is_active((uv_handle_t *)&pipeline->meet_timer)) {
        uv_timer_start(&pipeline->meet_timer, meet_due, MEET_MS, MEET_MS);
    }
}

static void confirm(Pipeline *pipeline)
{
    Error error;
    Lsn until = pipeline->applier->until;
    confirm_advance(&pipeline->confirm);
    if (awaited_passed(&pipeline->awaited, outbox_low_water(&pipeline->outbox))) {
        confirm_publish(&pipeline->confirm, resolve_busy(&pipeline->resolve), REPORT_NOW);
    }
    if (until != LSN_INVALID && outbox_low_water(&pipeline->outbox) >= until) {
        move(pipeline, ASKED_TO_STOP);
    }
    if (outbox_running(&pipeline->outbox) == 0) {
        move(pipeline, NOTHING_RUNS);
    }
    if (confirm_has_news(&pipeline->confirm)) {
        check(pipeline, confirm_send(&pipeline->confirm, false, &error), &error);
    }
}

/*
 * Somebody waits for what is open; nothing that is wanted comes behind it; or there is no room for more, and only batches that are
 * done let go of some. What gathers goes on while the workers are at work with half of the memory: past that, one that has nothing
 * to do gets what makes a full batch.
 */
static Hurry hurry(Pipeline *pipeline)
{
    Lsn until = pipeline->applier->until;
    size_t used = memory_used(pipeline);
    bool all_came = until != LSN_INVALID && pipeline->intake.received >= until;
    if (awaited_hurries(&pipeline->awaited) || all_came || used > room(pipeline)) {
        return HURRY_ALL;
    }
    return used > pipeline->applier->memory / 2 ? HURRY_IDLE : HURRY_NONE;
}

static void pump(Pipeline *pipeline)
{
    if (pipeline->state == ENDED) {
        return;
    }
    pipeline->turn_usec = clock_usec();
    collect(pipeline);
    if (pipeline->state == STREAMING) {
        take_steps(pipeline);
    }
    if (pipeline->state == STREAMING) {
        outbox_hand_out(&pipeline->outbox, hurry(pipeline), confirm_late(&pipeline->confirm));
    }
    if (pipeline->state != ENDED) {
        confirm(pipeline);
    }
    if (pipeline->state != ENDED) {
        wait(pipeline);
    }
}

/* The other events. */

/* True when the source should have said something and has not for so long: each status update asks it to. */
static bool source_silent(Pipeline *pipeline)
{
    struct pollfd descriptor = {.fd = receiver_socket(pipeline->intake.receiver), .events = POLLIN};
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
    }
    if (pipeline->state != ENDED) {
        check(pipeline, confirm_send(&pipeline->confirm, true, &error), &error);
    }
    pump(pipeline);
}

static void woken(uv_async_t *handle)
{
    pump(handle->data);
}

void loop_wake(void *context)
{
    Pipeline *pipeline = context;
    uv_async_send(&pipeline->wake);
}

static void signalled(uv_poll_t *handle, int status, int events)
{
    Pipeline *pipeline = handle->data;
    (void)status;
    (void)events;
    uv_poll_stop(handle);
    if (stop_asked(pipeline->options->stop)) {
        log_line(&pipeline->applier->log, LOG_INFO, "stopping: finishing what the workers have");
        move(pipeline, ASKED_TO_STOP);
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
    confirm_publish(&pipeline->confirm, resolve_busy(&pipeline->resolve), REPORT_SOON);
    if (pipeline->step == STEP_HELD) {
        resolve_look(&pipeline->resolve);
    }
    if (pipeline->resolve.bound.is_free && !meet_is_busy(&pipeline->meet)) {
        meet_look(&pipeline->meet, clock_usec());
    }
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
    uv_async_init(&pipeline->loop, &pipeline->wake, woken);
    uv_idle_init(&pipeline->loop, &pipeline->turn);
    uv_timer_init(&pipeline->loop, &pipeline->look_timer);
    uv_timer_init(&pipeline->loop, &pipeline->status_timer);
    uv_timer_init(&pipeline->loop, &pipeline->linger_timer);
    uv_timer_init(&pipeline->loop, &pipeline->report_timer);
    uv_timer_init(&pipeline->loop, &pipeline->meet_timer);
    uv_timer_init(&pipeline->loop, &pipeline->drain_timer);
    uv_poll_init(&pipeline->loop, &pipeline->stop_poll, pipeline->options->stop->fd);
    pipeline->wake.data = pipeline->turn.data = pipeline->status_timer.data = pipeline->linger_timer.data =
        pipeline->report_timer.data = pipeline->drain_timer.data = pipeline->stop_poll.data =
            pipeline->look_timer.data = pipeline->meet_timer.data = pipeline;
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
    uv_poll_init_socket(&pipeline->loop, &pipeline->source_poll, receiver_socket(pipeline->intake.receiver));
    pipeline->source_poll.data = pipeline;
    pipeline->step = STEP_TOOK;
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
