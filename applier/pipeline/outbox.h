/*
 * Outbox, the third stage: records become batches, batches go to the workers and come back, and what came back is counted
 * as durable.
 *
 *     outbox_open ──► outbox_put … ──► outbox_hand_out ──► (wake) ──► outbox_collect ──► outbox_advance … ──► outbox_close
 *
 * Who owns what: a frame belongs to whoever holds a reference, and a batch holds one for each frame that its changes are in;
 * a batch belongs to the scheduler, then to the dispatcher, to the worker, to the dispatcher, and to outbox_collect, which
 * frees it. Event loop only.
 */
#pragma once

#include "dispatch.h"
#include "progress.h"
#include "resolve.h"
#include "scheduler.h"
#include "totals.h"
#include "witness.h"

typedef struct Outbox {
    Scheduler *scheduler;
    Dispatcher *dispatcher;
    Progress *progress;
    Witness *witness;
    PipelineTotals *totals; /* borrowed */
    size_t batch_bytes;     /* that batches which are out take beside their frames */
    bool syncing;           /* all is being brought to one point */
    int64_t
        commit_time; /* of the transaction that was put last, microseconds since 2000-01-01; 0: none yet */
} Outbox;

/* Starts the workers; dispatcher->context and wake are the caller's. Taken down by outbox_close, also after an error. */
int outbox_open(Outbox *outbox, const DispatcherOptions *dispatcher, Error *error) MUST_CHECK;

/* The stream begins at schedule->start. Takes over witness, which says whether it is the one that the lanes come from. */
void outbox_begin(Outbox *outbox, const SchedulerOptions *schedule, Witness *witness);

/* Ends the workers: what is done can still be collected. */
void outbox_stop(Outbox *outbox);
void outbox_close(Outbox *outbox);

/* Schedules a record that resolve_record has let pass. */
int outbox_put(Outbox *outbox, const Resolve *resolve, DecodedFrame *frame, size_t index, uint64_t now_usec,
               Error *error) MUST_CHECK;

/* Everything that ends at or before lsn has been put. */
int outbox_keepalive(Outbox *outbox, Lsn lsn, Error *error) MUST_CHECK;

/*
 * Brings every lane to the newest position that was put: true once that is so, and nothing is under way. Asked again with
 * each turn until then; nothing is put meanwhile.
 */
bool outbox_quiet(Outbox *outbox);

/* Which open batches are closed, whether they are due or not: none, full ones of workers that have nothing to do, all. */
typedef enum Hurry { HURRY_NONE, HURRY_IDLE, HURRY_ALL } Hurry;

/* Closes these batches and those that are due, and hands to the workers what may run. late_usec: see scheduler_set_late. */
void outbox_hand_out(Outbox *outbox, Hurry hurry, uint64_t late_usec);

/* Takes back what is done. An error is that of the first batch that failed. */
int outbox_collect(Outbox *outbox, Error *error) MUST_CHECK;

/* Frees what no worker has begun; what they have goes on. */
void outbox_drop_waiting(Outbox *outbox);

/* Moves the low-water mark as far as it may. */
void outbox_advance(Outbox *outbox);

Lsn outbox_low_water(const Outbox *outbox);

/* All that was put is durable, and the mark says so. */
bool outbox_all_confirmed(const Outbox *outbox);

/* See scheduler_gathers. */
bool outbox_gathers(const Outbox *outbox);

/* Bytes of memory that batches keep beside their frames, those that are still open included. */
size_t outbox_bytes(const Outbox *outbox);

/* Batches that wait and run; when the next one falls due (monotonic microseconds, UINT64_MAX for none). */
size_t outbox_waiting(const Outbox *outbox);
size_t outbox_running(const Outbox *outbox);
bool outbox_idle(const Outbox *outbox);
uint64_t outbox_deadline(const Outbox *outbox);
