/*
 * What schedule hands on: a piece of work for one worker, applied in one target transaction.
 *
 * A batch owns its arrays and its references to frames. It moves from the event loop to a worker and back; whoever
 * has it, has it alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "position.h"
#include "relation.h"

/* One row change, pointing into the frame that brought it. */
typedef struct Change {
    const ApplyRelation *relation;
    const RowsRecord *rows;
    uint32_t row;
    int32_t lane;
    Position position;
} Change;

typedef enum BatchKind {
    BATCH_ROWS,     /* changes[], in source order; may be reduced */
    BATCH_TRUNCATE, /* one TRUNCATE */
    BATCH_DDL,      /* one statement that defines something: definition; a barrier */
    BATCH_EMPTY,    /* nothing to apply: moves lanes and, with commits, ends an open target transaction */
} BatchKind;

/* What a lane's changes in a batch need on the target. */
typedef struct LaneLoad {
    uint32_t changes;
    size_t bytes;    /* of their values */
    uint32_t tables; /* that are in this lane alone … */
    uint32_t locks;  /* … and the locks that they take */
} LaneLoad;

typedef struct Batch {
    uint64_t id; /* ascending in the order of dispatch */
    BatchKind kind;
    int worker;
    uint64_t number; /* of this worker's batches, from 1, in their order */
    uint64_t *after; /* by worker: runs when its batches up to this number are done; NULL: waits for none */
    bool barrier;    /* runs alone: everything before it is done first, everything after it waits */
    bool commits;    /* false (only with one lane): the target transaction stays open for the next batch */

    Change *changes;
    size_t count;
    size_t capacity;

    const TruncateRecord *truncate;
    const ApplyRelation *
        *truncated; /* truncate->relation_count entries, NULL for one to leave alone; malloc'd */

    const MessageRecord *definition; /* of BATCH_DDL; in its frame */

    DecodedFrame **frames;
    size_t frame_count;
    size_t frame_capacity;

    /* Progress to write with the rows: these lanes have everything up to `last`. None of them is past it already. */
    int *lanes;
    int64_t *moves; /* how often each of them has been moved before, in this run */
    int lane_count;
    Position last;
    int64_t
        last_time; /* commit time of the transaction that `last` is in, microseconds since 2000-01-01; 0: unknown */

    Lsn floor;     /* end of the last whole transaction before the first change: low water until it is done */
    size_t tables; /* that it has changes of … */
    size_t locks;  /* … and that its transaction takes on them, their partitions and indexes, about */
    size_t bytes;  /* size of the values, for limits */
    LaneLoad *loads;      /* by lane; NULL while it has no change */
    LaneLoad most;        /* the most of any lane */
    size_t spread_tables; /* that several lanes may have changes of … */
    size_t spread_locks;  /* … and the locks that they take */
    bool tied;            /* some change concerns two lanes: its lanes cannot be taken apart */
    uint64_t opened_usec; /* monotonic time of its first change … */
    uint64_t added_usec;  /* … and of its last */

    /* Filled by the worker. */
    uint64_t statements; /* that were sent */
    uint64_t copies;     /* of them by COPY */
    uint64_t reduced;    /* rows that were written after reduction */
    uint64_t
        by_rows; /* runs of changes of one relation whose set-based statements failed: replayed by rows */
    uint64_t conflicts; /* changes and truncates settled by a policy or skipped, and recorded */
    uint64_t retries;   /* how often it was tried again after an error that passes */
    uint64_t busy_usec; /* from its begin to its commit */
} Batch;

Batch *batch_new(BatchKind kind);

/* Frees the batch and drops its frames. */
void batch_free(Batch *batch);

void batch_add_change(Batch *batch, const Change *change);

/* The change that is added next, with values of so many bytes, concerns the lane, of `lanes`. */
void batch_note_lane(Batch *batch, int lane, int lanes, size_t bytes);

/* The change that is added next is the batch's first of the relation; its lane has been noted. */
void batch_note_table(Batch *batch, const ApplyRelation *relation, int lane);

/* Bytes of memory that its list of changes keeps. */
size_t batch_footprint(const Batch *batch);

/* Keeps frame alive with the batch; cheap when it is the one added last. */
void batch_add_frame(Batch *batch, DecodedFrame *frame);
