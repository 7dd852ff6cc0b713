/*
 * The table is taken as what it is without a key, a bag of rows, and each row by its bytes:
 *
 *     INSERT r       one more of r
 *     DELETE r       one less of those that this batch has inserted; when there is none, one of the target's goes
 *     UPDATE o, n    DELETE o, then INSERT n
 *
 * So what goes from the target is looked for before anything of the batch comes, as if it were done one by one; a row that
 * is not there is missing in the count, and the relation falls back to rows. An update becomes a new row, which is the same
 * where the target's table has no columns of its own.
 *
 * Rows that go are put together when the same columns of theirs are null, because SQL looks for a null by other words than
 * for a value; and each bag has no row twice, because two of its rows must not find the same row of the table.
 */
#include "reduce_full.h"

#include <string.h>

#include <xxhash.h>

#define FEWEST 4       /* below that, looking for one row after the other reads less */
#define MOST_GROUPS 32 /* each of them reads the table */

typedef struct Row {
    RowImage image;
    uint64_t hash;
    uint32_t comes;
    uint32_t goes;
} Row;

typedef struct Bag {
    Arena *arena;
    const ApplyRelation *relation;
    Row *rows;
    size_t used;
    uint32_t *slots; /* number of a row + 1 */
    size_t mask;
} Bag;

static bool counts(const ApplyRelation *relation, uint32_t column)
{
    return !relation->columns[column].generated;
}

static uint64_t hash_of(const ApplyRelation *relation, const RowImage *image)
{
    uint64_t hash = 0;
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        Bytes value = {0};
        if (counts(relation, c)) {
            CellState state = image_cell(image, c, &value);
            hash = XXH3_64bits_withSeed(value.data, state == CELL_VALUE ? value.size : 0, hash + state);
        }
    }
    return hash;
}

static bool same_row(const ApplyRelation *relation, const RowImage *a, const RowImage *b)
{
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        Bytes x = {0}, y = {0};
        if (!counts(relation, c)) {
            continue;
        }
        CellState state = image_cell(a, c, &x);
        if (state != image_cell(b, c, &y) ||
            (state == CELL_VALUE &&
             (x.size != y.size || (x.size != 0 && memcmp(x.data, y.data, x.size) != 0)))) {
            return false;
        }
    }
    return true;
}

static Row *row_of(Bag *bag, const RowImage *image)
{
    uint64_t hash = hash_of(bag->relation, image);
    size_t slot = hash & bag->mask;
    for (; bag->slots[slot] != 0; slot = (slot + 1) & bag->mask) {
        Row *row = &bag->rows[bag->slots[slot] - 1];
        if (row->hash == hash && same_row(bag->relation, &row->image, image)) {
            return row;
        }
    }
    bag->rows[bag->used] = (Row){.image = *image, .hash = hash};
    bag->slots[slot] = (uint32_t)++bag->used;
    return &bag->rows[bag->used - 1];
}

/* Each column that counts has a value or a null. */
static bool complete(const ApplyRelation *relation, const RowImage *image)
{
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (counts(relation, c) && !image_has(image, c)) {
            return false;
        }
    }
    return true;
}

/* The new row of an update: what it did not send is in the old one. */
static RowImage whole_image(Bag *bag, const Change *change)
{
    RowImage image = change_image(change);
    if (change->rows->kind != CHANGE_UPDATE || complete(bag->relation, &image)) {
        return image;
    }
    RowImage old = change_key(change);
    uint32_t count = bag->relation->source->column_count;
    Cell *cells = arena_alloc(bag->arena, sizeof *cells * count);
    for (uint32_t c = 0; c < count; c++) {
        cells[c].state = image_cell(&image, c, &cells[c].value);
        if (cells[c].state > CELL_NULL) {
            cells[c].state = image_cell(&old, c, &cells[c].value);
        }
    }
    image.merged = cells;
    return image;
}

/* False when the change does not say enough. */
static bool add(Bag *bag, const Change *change)
{
    if (change->rows->kind != CHANGE_INSERT) {
        RowImage old = change_key(change);
        if (change->rows->old != OLD_FULL || !complete(bag->relation, &old)) {
            return false;
        }
        Row *row = row_of(bag, &old);
        if (row->comes != 0) {
            row->comes--;
        } else {
            row->goes++;
        }
    }
    if (change->rows->kind != CHANGE_DELETE) {
        RowImage image = whole_image(bag, change);
        if (!complete(bag->relation, &image)) {
            return false;
        }
        row_of(bag, &image)->comes++;
    }
    return true;
}

/* The columns that have a value; false when none has. */
static bool find_columns(const Bag *bag, const Row *row, ColumnWord *find)
{
    bool any = false;
    memset(find, 0, column_words(bag->relation->source->column_count) * sizeof *find);
    for (uint32_t c = 0; c < bag->relation->source->column_count; c++) {
        Bytes value;
        if (counts(bag->relation, c) && image_cell(&row->image, c, &value) == CELL_VALUE) {
            column_add(find, c);
            any = true;
        }
    }
    return any;
}

/* The group of rows that are found by these columns and go for the time-th time; NULL when there would be too many. */
static LostGroup *group_of(Bag *bag, Segment *segment, const ColumnWord *find, uint32_t time)
{
    size_t size = column_words(bag->relation->source->column_count) * sizeof *find;
    for (size_t g = 0; g < segment->lost_count; g++) {
        if (segment->lost[g].time == time && memcmp(segment->lost[g].find, find, size) == 0) {
            return &segment->lost[g];
        }
    }
    if (segment->lost_count == MOST_GROUPS) {
        return NULL;
    }
    ColumnWord *copy = arena_alloc(bag->arena, size);
    memcpy(copy, find, size);
    LostGroup *group = &segment->lost[segment->lost_count++];
    *group = (LostGroup){.find = copy, .time = time};
    return group;
}

/* Sorts the rows that go into groups; false when they do not go into few. */
static bool fill_lost(Bag *bag, Segment *segment)
{
    ColumnWord *find =
        arena_alloc(bag->arena, column_words(bag->relation->source->column_count) * sizeof *find);
    segment->lost = arena_alloc(bag->arena, sizeof *segment->lost * MOST_GROUPS);
    for (int pass = 0; pass < 2; pass++) { /* counts, then fills */
        for (size_t g = 0; g < segment->lost_count; g++) {
            LostGroup *group = &segment->lost[g];
            group->rows = arena_alloc(bag->arena, sizeof *group->rows * group->count);
            group->count = 0;
        }
        for (size_t i = 0; i < bag->used; i++) {
            const Row *row = &bag->rows[i];
            for (uint32_t time = 0; time < row->goes; time++) {
                LostGroup *group = find_columns(bag, row, find) ? group_of(bag, segment, find, time) : NULL;
                if (group == NULL) {
                    return false;
                }
                if (pass == 1) {
                    group->rows[group->count] = (NetRow){.image = row->image, .key = row->image};
                }
                group->count++;
            }
        }
    }
    return true;
}

static void fill_inserts(Bag *bag, Segment *segment, size_t comes)
{
    segment->inserts = arena_alloc(bag->arena, sizeof *segment->inserts * (comes + 1));
    for (size_t i = 0; i < bag->used; i++) {
        for (uint32_t n = 0; n < bag->rows[i].comes; n++) {
            segment->inserts[segment->insert_count++] =
                (NetRow){.image = bag->rows[i].image, .key = bag->rows[i].image};
        }
    }
}

Segment *reduce_full(Arena *arena, const ApplyRelation *relation, const Change *const *changes, size_t count)
{
    size_t size = 16, comes = 0, goes = 0;
    if (!relation->row_sets || count < FEWEST) {
        return NULL;
    }
    while (size < count * 4) {
        size *= 2;
    }
    Bag bag = {.arena = arena,
               .relation = relation,
               .rows = arena_alloc(arena, sizeof *bag.rows * count * 2),
               .slots = arena_zalloc(arena, sizeof *bag.slots * size),
               .mask = size - 1};
    for (size_t i = 0; i < count; i++) {
        if (!add(&bag, changes[i])) {
            return NULL;
        }
    }
    for (size_t i = 0; i < bag.used; i++) {
        comes += bag.rows[i].comes;
        goes += bag.rows[i].goes;
    }
    Segment *segment = arena_zalloc(arena, sizeof *segment);
    segment->relation = relation;
    if (goes < FEWEST || !fill_lost(&bag, segment)) {
        return NULL;
    }
    fill_inserts(&bag, segment, comes);
    return segment;
}
