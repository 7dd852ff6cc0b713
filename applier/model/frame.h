/*
 * What decode hands on: the records of one frame, with the arena that holds them.
 *
 * Frames are shared: every batch that holds a change of a frame holds a reference to it, and the last one to let go
 * frees it. References may be taken and dropped on any thread; everything else in a frame is read-only once decode
 * has handed it on. The frame itself lives in its arena.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>

#include "arena.h"
#include "reader.h"
#include "relation.h"

typedef struct DecodedFrame {
    Arena *arena;
    Record *records;
    size_t count;
    /* By record: the relation of a RECORD_ROWS or RECORD_RELATION, else NULL. */
    const SourceRelation **sources;
    /* By record, for RECORD_TRUNCATE: its relations, in the record's order, else NULL. NULL in a frame without one. */
    const SourceRelation ***truncated;
    atomic_int references;
    size_t footprint; /* bytes of memory it keeps */
    atomic_size_t
        *account; /* what all live frames keep, or NULL: footprint is taken off when the frame is freed */
} DecodedFrame;

/* Takes one more reference. */
DecodedFrame *frame_acquire(DecodedFrame *frame);

/* Drops one; frees the frame with the last. */
void frame_release(DecodedFrame *frame);
