/*
 * Confirm, the last stage: what is told to others. To the target, by the reporter's thread: numbers, and the low-water mark.
 * To the source, by status updates: by a timer, when it asks, and as soon as everything that was received is durable.
 *
 *     confirm_open ──► confirm_advance each turn; confirm_send, confirm_publish by timers ──► confirm_goodbye ──► confirm_close
 *
 * The low-water mark goes to the target first. The source is told of it once the target has it, so that at the next start
 * a slot that stands further than the target says was moved by someone else, or the target lost something. If the process
 * dies in between, the source has been told less than is durable, which is what it is told at the next start.
 *
 * Event loop only. Nothing here waits, except confirm_goodbye, for two seconds at most.
 */
#pragma once

#include "heartbeat.h"
#include "intake.h"
#include "outbox.h"
#include "reporter.h"

typedef struct Confirm {
    Intake *intake; /* these four are borrowed */
    Outbox *outbox;
    Reporter *reporter;
    PipelineTotals *totals;
    PipelineTotals before; /* totals when this run began */
    const Log *log;        /* borrowed */
    Heartbeat *heartbeat;
    Beat beat;     /* the last one taken */
    Lsn confirmed; /* in the last status update */
} Confirm;

/* Starts the heartbeat. Borrowed members are set by the caller. Taken down by confirm_close, also after an error. */
int confirm_open(Confirm *confirm, const char *source, const Log *log, Error *error) MUST_CHECK;
void confirm_close(Confirm *confirm);

/* Moves the low-water mark as far as it may, and counts what is below it. */
void confirm_advance(Confirm *confirm);

/* A status update. */
int confirm_send(Confirm *confirm, bool request_reply, Error *error) MUST_CHECK;

/* All that was received is durable, and the source does not know yet. */
bool confirm_has_news(const Confirm *confirm);

/*
 * How long ago, in microseconds, what was put last had been committed when the source was last heard. 0 where hardly anything
 * is left of what there was then (LITTLE_WAL), or nothing is known of that.
 */
uint64_t confirm_late(const Confirm *confirm);

/* Numbers for the target, at once or with the next report. working: someone may wait for a lock there. */
void confirm_publish(Confirm *confirm, bool working, Urgency urgency);

/* Report and status update at the end of a run: the source need not send again what is durable. */
void confirm_goodbye(Confirm *confirm);
