/*
 * Arrays grow by doubling, large ones by a quarter. A batch takes one reference per frame, however many of its changes come from it:
 * changes arrive frame after frame, so looking at the last entry is enough to know.
 */
#include "batch.h"

#include <stdio.h>
#include <stdlib.h>

/* Entries: some hundred kilobytes, which the C library moves without copying them. */
#define LARGE 8192

static void *grow(void *array, size_t *capacity, size_t first, size_t size)
{
    *capacity = *capacity == 0 ? first : *capacity + (*capacity < LARGE ? *capacity : *capacity / 4);
    void *grown = reallocarray(array, *capacity, size);
    if (grown == NULL) {
        fputs("penstock: out of memory\n", stderr);
        abort();
    }
    return grown;
}

Batch *batch_new(BatchKind kind)
{
    Batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) {
        fputs("penstock: out of memory\n", stderr);
        abort();
    }
    batch->kind = kind;
    batch->commits = true;
    return batch;
}

void batch_free(Batch *batch)
{
    if (batch == NULL) {
        return;
    }
    for (size_t i = 0; i < batch->frame_count; i++) {
        frame_release(batch->frames[i]);
    }
    free(batch->frames);
    free(batch->changes);
    free(batch->truncated);
    free(batch->lanes);
    free(batch->moves);
    free(batch->after);
    free(batch->loads);
    free(batch);
}

void batch_add_change(Batch *batch, const Change *change)
{
    if (batch->count == batch->capacity) {
        batch->changes = grow(batch->changes, &batch->capacity, 64, sizeof *batch->changes);
    }
    batch->changes[batch->count++] = *change;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

void batch_note_lane(Batch *batch, int lane, int lanes, size_t bytes)
{
    if (batch->loads == NULL) {
        batch->loads = calloc((size_t)lanes, sizeof *batch->loads);
        if (batch->loads == NULL) {
            fputs("penstock: out of memory\n", stderr);
            abort();
        }
    }
    LaneLoad *load = &batch->loads[lane];
    load->changes++;
    load->bytes += bytes;
    batch->most.bytes = larger(batch->most.bytes, load->bytes);
}

void batch_note_table(Batch *batch, const ApplyRelation *relation, int lane)
{
    batch->tables++;
    batch->locks += relation->locks;
    if (relation->lane_class != LANE_WHOLE) {
        batch->spread_tables++;
        batch->spread_locks += relation->locks;
        return;
    }
    LaneLoad *load = &batch->loads[lane];
    load->tables++;
    load->locks += relation->locks;
    batch->most.tables = (uint32_t)larger(batch->most.tables, load->tables);
    batch->most.locks = (uint32_t)larger(batch->most.locks, load->locks);
}

size_t batch_footprint(const Batch *batch)
{
    return batch->capacity * sizeof *batch->changes;
}

void batch_add_frame(Batch *batch, DecodedFrame *frame)
{
    if (batch->frame_count > 0 && batch->frames[batch->frame_count - 1] == frame) {
        return;
    }
    if (batch->frame_count == batch->frame_capacity) {
        batch->frames = grow(batch->frames, &batch->frame_capacity, 8, sizeof *batch->frames);
    }
    batch->frames[batch->frame_count++] = frame_acquire(frame);
}
