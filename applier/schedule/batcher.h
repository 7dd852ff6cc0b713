/*
 * The open batches, and those that are closed and wait to be taken: which change joins which batch, when a batch is closed,
 * and what may be confirmed meanwhile. Pure.
 *
 *     batcher_open / batcher_open_barrier ──► the caller adds changes ──► batcher_added: full? closed
 *                                                                     └─► batcher_close…: due, or must be
 *     closed batches ──► batcher_take
 *
 * A batch that is open belongs to the batcher; one that was taken, to whoever took it.
 */
#pragma once

#include "durable.h"

typedef struct Batcher Batcher;

typedef struct BatcherOptions {
    int lanes;
    int workers;
    bool whole;           /* transactions stay whole: batches are closed at commits */
    size_t batch_rows;    /* a batch is closed when it has so many changes … */
    size_t batch_bytes;   /* … or so many bytes … */
    size_t batch_locks;   /* … or takes so many locks on the target (0: any number) … */
    size_t batch_tables;  /* … and one with more tables is cut by lanes; 0: none is, whatever it has */
    uint64_t linger_usec; /* … or its first change has waited so long and its worker is not busy */
    Durable *durable;     /* borrowed */
} BatcherOptions;

/* Where the stream is. Whoever reads the stream moves it; batches are cut by it. */
typedef struct StreamPoint {
    bool in_transaction;
    Lsn commit_lsn;  /* of the transaction, while in one */
    Position newest; /* scheduled or left out */
    Lsn last_end;    /* of the last whole transaction */
} StreamPoint;

/* point is borrowed for the batcher's life. */
Batcher *batcher_new(const BatcherOptions *options, const StreamPoint *point);
void batcher_free(Batcher *batcher);

/* The batch that a change of worker joins: its open one, or a new one; the open barrier while there is one. */
Batch *batcher_open(Batcher *batcher, int worker, uint64_t now_usec);

/* Closes what is open, and opens a barrier, unless one is open; batcher_open gives it from then on. */
void batcher_open_barrier(Batcher *batcher, int worker, uint64_t now_usec);

/* The next change of worker concerns two of its lanes. Its batch stays together, and is of ordinary size. */
void batcher_tie(Batcher *batcher, int worker);

/* A change was added to the batch: closes it when it is full. */
void batcher_added(Batcher *batcher, Batch *batch);

/* A batch that stands by itself; batcher_close ends it. What it has to follow has been closed. */
Batch *batcher_alone(Batcher *batcher, BatchKind kind, int worker, uint64_t now_usec);
void batcher_close(Batcher *batcher, Batch *batch);

/* The same, for one behind which nothing is left open on the target, whether the transaction has ended or not. */
void batcher_close_committing(Batcher *batcher, Batch *batch);

/* Only for `whole`: what has been applied of the transaction becomes visible now. */
void batcher_commit_open(Batcher *batcher, uint64_t now_usec);

/* The open batch of worker, or NULL; the barrier is none of them. */
const Batch *batcher_peek(const Batcher *batcher, int worker);

void batcher_close_worker(Batcher *batcher, int worker);
void batcher_close_full(Batcher *batcher, int worker); /* if it has as much as an ordinary batch may have */
void batcher_close_barrier(Batcher *batcher);
void batcher_close_all(Batcher *batcher);

/* Bytes of memory that the open batches' lists of changes keep. */
size_t batcher_footprint(const Batcher *batcher);

/* Closes every open batch that is due at now_usec. */
void batcher_close_due(Batcher *batcher, uint64_t now_usec);

/* A transaction has ended; only for `whole`: ends what was left uncommitted, and a batch that is full. */
void batcher_commit(Batcher *batcher, uint64_t now_usec);

/* See scheduler.h. */
void batcher_set_busy(Batcher *batcher, int worker, bool busy);
void batcher_set_late(Batcher *batcher, uint64_t usec);
bool batcher_gathers(const Batcher *batcher);
Batch *batcher_take(Batcher *batcher);
uint64_t batcher_deadline(const Batcher *batcher);
Lsn batcher_floor(const Batcher *batcher);
