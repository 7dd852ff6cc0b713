/*
 * Lanes are dealt out in their order: one goes to the part at hand, or begins the next where that would be too much. Changes
 * stay in the order in which they came, so that within a part source order holds as it did in the batch. Tables that spread over
 * lanes may be in every part, and count for each.
 */
#include "split.h"

#include <stdlib.h>
#include <string.h>

typedef struct Cut {
    Batch *batch;
    int lanes;
    size_t *part_of; /* by lane */
    Batch **parts;
    size_t count;
} Cut;

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static bool over(size_t value, size_t limit)
{
    return limit != 0 && value > limit;
}

bool split_wanted(const Batch *batch, const SplitLimits *limits)
{
    bool can = batch->kind == BATCH_ROWS && !batch->barrier && !batch->tied && batch->loads != NULL;
    return can && (over(batch->tables, limits->tables) || over(batch->locks, limits->locks) ||
                   over(batch->bytes / 2, limits->bytes));
}

/* Says for each lane which part it is in. */
static void deal_out(Cut *cut, const SplitLimits *limits)
{
    const Batch *batch = cut->batch;
    size_t tables = batch->spread_tables, locks = batch->spread_locks, bytes = 0;
    bool empty = true;
    for (int lane = 0; lane < cut->lanes; lane++) {
        const LaneLoad *load = &batch->loads[lane];
        if (load->changes == 0) {
            continue;
        }
        if (!empty &&
            (over(tables + load->tables, limits->tables) || over(locks + load->locks, limits->locks) ||
             over(bytes + load->bytes, limits->bytes))) {
            cut->count++;
            bytes = 0;
            tables = batch->spread_tables;
            locks = batch->spread_locks;
        }
        cut->part_of[lane] = cut->count;
        tables += load->tables;
        locks += load->locks;
        bytes += load->bytes;
        empty = false;
    }
    cut->count++;
}

static void *copy_of(const void *array, size_t size)
{
    void *copy = zeroed(1, size);
    return memcpy(copy, array, size);
}

static Batch *make_part(const Cut *cut, size_t number, size_t workers)
{
    const Batch *batch = cut->batch;
    Batch *part = batch_new(BATCH_ROWS);
    part->worker = batch->worker;
    part->number = number + 1 == cut->count ? batch->number : batch->number - 1;
    part->floor = batch->floor;
    part->opened_usec = batch->opened_usec;
    part->loads = zeroed((size_t)cut->lanes, sizeof *part->loads);
    part->spread_tables = part->tables = batch->spread_tables;
    part->spread_locks = part->locks = batch->spread_locks;
    if (batch->after != NULL) {
        part->after = copy_of(batch->after, workers * sizeof *batch->after);
    }
    return part;
}

static void give_lanes(const Cut *cut)
{
    for (int lane = 0; lane < cut->lanes; lane++) {
        const LaneLoad *load = &cut->batch->loads[lane];
        if (load->changes > 0) {
            Batch *part = cut->parts[cut->part_of[lane]];
            part->loads[lane] = *load;
            part->tables += load->tables;
            part->locks += load->locks;
            part->bytes += load->bytes;
            part->capacity += load->changes;
        }
    }
}

static void give_changes(const Cut *cut)
{
    Batch *batch = cut->batch;
    for (size_t i = 0; i < cut->count; i++) {
        cut->parts[i]->changes = zeroed(cut->parts[i]->capacity, sizeof *batch->changes);
    }
    for (size_t i = 0; i < batch->count; i++) {
        batch_add_change(cut->parts[cut->part_of[batch->changes[i].lane]], &batch->changes[i]);
    }
    for (size_t i = 0; i < cut->count; i++) {
        Batch *part = cut->parts[i];
        for (size_t frame = 0; frame < batch->frame_count; frame++) {
            batch_add_frame(part, batch->frames[frame]);
        }
    }
}

void split_batch(Batch *batch, int lanes, int workers, const SplitLimits *limits, Batch ***parts,
                 size_t *count)
{
    Cut cut = {.batch = batch, .lanes = lanes, .part_of = zeroed((size_t)lanes, sizeof *cut.part_of)};
    deal_out(&cut, limits);
    cut.parts = zeroed(cut.count, sizeof(Batch *));
    for (size_t i = 0; i < cut.count; i++) {
        cut.parts[i] = make_part(&cut, i, (size_t)workers);
    }
    give_lanes(&cut);
    give_changes(&cut);
    batch_free(batch);
    free(cut.part_of);
    *parts = cut.parts;
    *count = cut.count;
}
