/*
 * The scheduler: cuts the stream into batches. Pure: it decides from values, without a database, a thread or a clock.
 *
 *     records of frames ──► lane = hash(relation, key) mod lanes ──► worker = lane mod workers ──► open batch
 *                                                                                                    │ full, old, barrier
 *                                                                                                    ▼
 *                                                                                           scheduler_take()
 *
 *     scheduler_new ──► scheduler_record for each record, in stream order ──► scheduler_take until NULL, after each
 *                   └─► scheduler_set_busy, scheduler_set_late, scheduler_close by the clock; scheduler_advance at a keepalive ──► scheduler_free
 *
 * A batch that was taken is its taker's. Nothing here is durable: when the process dies, the next run begins with the lanes'
 * positions as the target has them, and is fed the same records again.
 *
 * See scheduler.c for the ordering rules.
 */
#pragma once

#include <stdbool.h>

#include "batch.h"
#include "error.h"

typedef struct Scheduler Scheduler;

typedef struct SchedulerOptions {
    int lanes;
    int workers;
    size_t batch_rows;    /* a batch is closed when it has so many changes … */
    size_t batch_bytes;   /* … or so many bytes … */
    size_t batch_locks;   /* … or takes so many locks on the target (0: any number) … */
    size_t batch_tables;  /* … and one with more tables is cut by lanes; 0: none is, whatever it has */
    uint64_t linger_usec; /* … or its first change has waited so long and its worker is not busy */
    const Position *lane_positions; /* lanes entries: what is durable already; copied */
    Lsn start; /* every transaction that ends at or before this is durable already; LSN_INVALID: not known */
} SchedulerOptions;

Scheduler *scheduler_new(const SchedulerOptions *options);
void scheduler_free(Scheduler *scheduler);

/*
 * Schedules record number index of frame. targets: for RECORD_ROWS the relation's target (NULL: not migrated) in
 * targets[0]; for RECORD_TRUNCATE one per relation of the record; else unused. now_usec: monotonic.
 */
int scheduler_record(Scheduler *scheduler, DecodedFrame *frame, size_t index,
                     const ApplyRelation *const *targets, uint64_t now_usec, Error *error) MUST_CHECK;

/*
 * Whether nothing that the record says can still be to be done: every lane was behind it when this run began. What it is about
 * may be defined in another way by now, or be gone.
 */
bool scheduler_had(const Scheduler *scheduler, const Record *record);

/*
 * The parts of tables (penstock.job.id) that have to be copied anew, because the change that was to be scheduled last
 * cannot be applied to them; *count is 0 as long as all goes well. Nothing may be scheduled behind it: what was has to be made
 * durable, then the run ends.
 */
const int64_t *scheduler_recopy(const Scheduler *scheduler, size_t *count);

/*
 * A busy worker has enough to do already: its open batch may grow up to the limits of a batch, however old it is,
 * because nothing would begin it sooner.
 */
void scheduler_set_busy(Scheduler *scheduler, int worker, bool busy);

/*
 * What comes now was committed so long ago (0: there is hardly anything that has not come). A batch that gains from more changes may
 * wait for them for a part of that time.
 */
void scheduler_set_late(Scheduler *scheduler, uint64_t usec);

/* Batches gain from more changes: those that are open, or the one that was closed last. Then it is worth much memory to hold them. */
bool scheduler_gathers(const Scheduler *scheduler);

/* Closes every open batch that is due at now_usec, or every one when all is true. */
void scheduler_close(Scheduler *scheduler, uint64_t now_usec, bool all);

/* Closes the open batch of worker, if it has as much as one may have that gains nothing from more. */
void scheduler_close_full(Scheduler *scheduler, int worker);

/*
 * Closes every open batch and adds an empty barrier that moves every lane to the newest position scheduled, so that
 * all of them stand at one point once it is done.
 */
void scheduler_sync(Scheduler *scheduler);

/*
 * True when no lane began this run behind the newest position scheduled, unless all began at one: then all lanes stand at
 * one point once a scheduler_sync is done.
 */
bool scheduler_even(const Scheduler *scheduler);

/*
 * Between transactions: every transaction that ends at or before lsn has been scheduled (a keepalive said so).
 * Ignored inside a transaction.
 */
void scheduler_advance(Scheduler *scheduler, Lsn lsn);

/* The next batch that is ready, in dispatch order, or NULL. The caller owns it. */
Batch *scheduler_take(Scheduler *scheduler);

/* Bytes of memory that the open batches keep beside their frames. */
size_t scheduler_footprint(const Scheduler *scheduler);

/* When the oldest open batch falls due (monotonic microseconds); UINT64_MAX when none is open. */
uint64_t scheduler_deadline(const Scheduler *scheduler);

/* The lowest floor of the batches not yet taken; the end of the last whole transaction when there is none. */
Lsn scheduler_floor(const Scheduler *scheduler);

/* The commit of the transaction that began last. */
Lsn scheduler_transaction(const Scheduler *scheduler);

/* The newest position scheduled, changes that were left out included. */
Position scheduler_position(const Scheduler *scheduler);

/* True between the begin and the commit of a transaction. */
bool scheduler_in_transaction(const Scheduler *scheduler);
