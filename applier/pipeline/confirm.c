/*
 * What may be confirmed is the low-water mark as far as the target has it in writing, and never less than the slot has
 * already, which would move it back.
 */
#include "confirm.h"

#include <poll.h>

#include "clock.h"

#define GOODBYE_MS 1000
/* WAL that is read and sent within a moment. */
#define LITTLE_WAL ((Lsn)16 << 20)

int confirm_open(Confirm *confirm, const char *source, const Log *log, Error *error)
{
    confirm->before = *confirm->totals;
    confirm->log = log;
    return heartbeat_start(source, log, &confirm->heartbeat, error);
}

void confirm_close(Confirm *confirm)
{
    heartbeat_stop(confirm->heartbeat);
    confirm->heartbeat = NULL;
}

void confirm_advance(Confirm *confirm)
{
    PipelineTotals *totals = confirm->totals;
    outbox_advance(confirm->outbox);
    const ProgressTotals *mark = progress_totals(confirm->outbox->progress);
    totals->received =
        confirm->intake->received > totals->received ? confirm->intake->received : totals->received;
    totals->low_water = mark->low_water;
    log_stands(confirm->log, NULL, mark->low_water);
    totals->wire_bytes = confirm->before.wire_bytes + confirm->intake->wire_bytes;
    totals->transactions = confirm->before.transactions + mark->transactions;
    totals->commit_time = mark->commit_time != 0 ? mark->commit_time : confirm->before.commit_time;
    totals->heartbeat_time =
        mark->heartbeat_time != 0 ? mark->heartbeat_time : confirm->before.heartbeat_time;
}

static Lsn confirmable(const Confirm *confirm)
{
    Lsn low_water = outbox_low_water(confirm->outbox);
    Lsn written = reporter_written(confirm->reporter);
    Lsn least = receiver_confirmed(confirm->intake->receiver);
    Lsn lower = written < low_water ? written : low_water;
    return lower > least ? lower : least;
}

int confirm_send(Confirm *confirm, bool request_reply, Error *error)
{
    Lsn durable = confirmable(confirm);
    if (receiver_send_status(confirm->intake->receiver, confirm->totals->received, durable, request_reply,
                             error) != 0) {
        return -1;
    }
    confirm->confirmed = durable;
    confirm->intake->asked = false;
    return 0;
}

bool confirm_has_news(const Confirm *confirm)
{
    return confirmable(confirm) > confirm->confirmed && outbox_all_confirmed(confirm->outbox);
}

static void give_counts(Confirm *confirm, bool all)
{
    CountsReport report = {0};
    if ((all || reporter_takes_counts(confirm->reporter)) &&
        counts_take(confirm->totals->counts, clock_usec(), all, &report)) {
        report.counted = report.complete ? confirm->totals->low_water : LSN_INVALID;
        reporter_give_counts(confirm->reporter, &report);
    }
}

static void take_heartbeat(Confirm *confirm)
{
    Beat beat = heartbeat_last(confirm->heartbeat);
    if (beat.number != confirm->beat.number) {
        confirm->beat = beat;
        confirm->totals->source = beat.wal_end;
        progress_heartbeat(confirm->outbox->progress, beat.wal_end, beat.time);
        confirm_advance(confirm);
    }
}

uint64_t confirm_late(const Confirm *confirm)
{
    int64_t committed = confirm->outbox->commit_time;
    bool much = confirm->beat.wal_end > confirm->intake->received + LITTLE_WAL;
    return much && committed != 0 && confirm->beat.time > committed
               ? (uint64_t)(confirm->beat.time - committed)
               : 0;
}

void confirm_publish(Confirm *confirm, bool working, Urgency urgency)
{
    PipelineLoad load = {
        .waiting = outbox_waiting(confirm->outbox),
        .running = outbox_running(confirm->outbox),
        .memory = intake_bytes(confirm->intake) + outbox_bytes(confirm->outbox),
    };
    ReporterView view;
    take_heartbeat(confirm);
    totals_look(confirm->totals, clock_usec());
    totals_view(confirm->totals, "streaming", &load, &view);
    view.working |= working;
    reporter_publish(confirm->reporter, &view, urgency);
    give_counts(confirm, false);
}

void confirm_goodbye(Confirm *confirm)
{
    Error ignored;
    bool pending = true;
    Receiver *receiver = confirm->intake->receiver;
    confirm_advance(confirm);
    confirm_publish(confirm, false, REPORT_SOON);
    give_counts(confirm, true);
    reporter_flush(confirm->reporter, GOODBYE_MS);
    if (confirm_send(confirm, false, &ignored) != 0 || receiver_flush(receiver, &pending, &ignored) != 0 ||
        !pending) {
        return;
    }
    struct pollfd descriptor = {.fd = receiver_socket(receiver), .events = POLLOUT};
    if (poll(&descriptor, 1, GOODBYE_MS) > 0 && receiver_flush(receiver, &pending, &ignored) != 0) {
        return;
    }
}
