/*
 * Every key that a segment touches has an entry with a state, which says what the rows' history in this
 * segment comes to. The table of transitions is the whole idea:
 *
 *     state      the key before and after        INSERT     UPDATE     DELETE
 *     NONE       not touched yet                 NEW        CHANGED    GONE
 *     NEW        absent, then a row              -          NEW        VOID
 *     CHANGED    a row, then another version     -          CHANGED    GONE
 *     GONE       a row, then absent              REPLACED   -          -
 *     REPLACED   a row, then a new row           -          REPLACED   GONE
 *     VOID       absent, then absent             NEW        -          -
 *
 * An update is merged into the version before it column by column: a cell that the source did not send
 * because it is unchanged keeps the earlier value. REPLACED stays a delete and an insert, because only an
 * insert gives columns that exist on the target alone, and identity columns, what they get on the source.
 *
 * What cannot be reduced ends the segment and is applied by rows, in order, before the next segment begins:
 *   - an update that changes its key: the row must be moved after what came before it and before what follows;
 *   - updates and deletes of relations without a key (MATCH_ROW, MATCH_NONE): each touches exactly one row, unless they
 *     can be taken together (reduce_full.h);
 *   - a transition marked "-" above: the rows do not fit the stream, and the error belongs to that one change;
 *   - relations without columns: there is nothing to unnest.
 *
 * Segments of different relations are independent of each other, because foreign keys are not checked here.
 */
#include "reduce.h"

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "reduce_full.h"

typedef enum KeyState {
    NONE,
    NEW,
    CHANGED,
    GONE,
    REPLACED,
    VOID,
    STATE_COUNT,
    REFUSED = STATE_COUNT
} KeyState;

static const uint8_t transitions[STATE_COUNT][3] = {
    [NONE] = {NEW, CHANGED, GONE},          [NEW] = {REFUSED, NEW, VOID},
    [CHANGED] = {REFUSED, CHANGED, GONE},   [GONE] = {REPLACED, REFUSED, REFUSED},
    [REPLACED] = {REFUSED, REPLACED, GONE}, [VOID] = {NEW, REFUSED, REFUSED},
};

typedef struct Entry {
    uint64_t hash;
    KeyState state;
    RowImage image;
    RowImage key;
} Entry;

/* The changes of one relation. */
typedef struct Group {
    const ApplyRelation *relation;
    const Change **changes;
    size_t count;
} Group;

typedef struct Reducer {
    Arena *arena;
    Segment *first;
    Segment **tail;

    const ApplyRelation *relation;
    Entry *entries; /* of the open segment: entries[opened … used) */
    size_t opened;
    size_t used;
    uint32_t *slots; /* entry number + 1; those at or below `opened` belong to a segment that is closed */
    size_t mask;

    const Change **rows; /* of the open segment by rows */
    size_t row_count;
} Reducer;

RowImage change_key(const Change *change)
{
    bool old = change->rows->kind == CHANGE_DELETE ||
               (change->rows->kind == CHANGE_UPDATE && change->rows->old != OLD_NONE);
    return (RowImage){.rows = change->rows, .row = change->row, .side = old ? SIDE_OLD : SIDE_NEW};
}

RowImage change_image(const Change *change)
{
    RowSide side = change->rows->kind == CHANGE_DELETE ? SIDE_OLD : SIDE_NEW;
    return (RowImage){.rows = change->rows, .row = change->row, .side = side};
}

static bool cells_equal(const RowImage *a, const RowImage *b, uint32_t column)
{
    Bytes left = {0};
    Bytes right = {0};
    CellState state = image_cell(a, column, &left);
    if (state != image_cell(b, column, &right)) {
        return false;
    }
    return state != CELL_VALUE ||
           (left.size == right.size && (left.size == 0 || memcmp(left.data, right.data, left.size) == 0));
}

bool change_moves_key(const Change *change)
{
    if (change->rows->kind != CHANGE_UPDATE || change->rows->old == OLD_NONE) {
        return false;
    }
    RowImage old = change_key(change);
    RowImage new = change_image(change);
    const SourceRelation *source = change->relation->source;
    for (uint32_t i = 0; i < source->key_count; i++) {
        if (image_has(&new, source->keys[i]) && !cells_equal(&old, &new, source->keys[i])) {
            return true;
        }
    }
    return false;
}

static bool key_complete(const SourceRelation *source, const RowImage *image)
{
    for (uint32_t i = 0; i < source->key_count; i++) {
        Bytes value;
        if (image_cell(image, source->keys[i], &value) != CELL_VALUE) {
            return false;
        }
    }
    return true;
}

/* True when change may become part of a net effect. */
static bool reducible(const Change *change)
{
    const ApplyRelation *relation = change->relation;
    if (relation->source->column_count == 0) {
        return false;
    }
    if (relation->match != MATCH_KEY) {
        return change->rows->kind == CHANGE_INSERT;
    }
    RowImage key = change_key(change);
    return key_complete(relation->source, &key) && !change_moves_key(change);
}

static uint64_t key_hash(const SourceRelation *source, const RowImage *image)
{
    uint64_t hash = 0;
    for (uint32_t i = 0; i < source->key_count; i++) {
        Bytes value = {0};
        image_cell(image, source->keys[i], &value);
        hash = XXH3_64bits_withSeed(value.data, value.size, hash);
    }
    return hash;
}

static bool key_equal(const SourceRelation *source, const RowImage *a, const RowImage *b)
{
    for (uint32_t i = 0; i < source->key_count; i++) {
        if (!cells_equal(a, b, source->keys[i])) {
            return false;
        }
    }
    return true;
}

/* The entry of key in the open segment, made when it is not there. */
static Entry *entry_of(Reducer *r, const RowImage *key)
{
    uint64_t hash = key_hash(r->relation->source, key);
    size_t slot = hash & r->mask;
    while (r->slots[slot] > r->opened) {
        Entry *entry = &r->entries[r->slots[slot] - 1];
        if (entry->hash == hash && key_equal(r->relation->source, &entry->key, key)) {
            return entry;
        }
        slot = (slot + 1) & r->mask;
    }
    r->entries[r->used] = (Entry){.hash = hash, .state = NONE, .key = *key};
    r->slots[slot] = (uint32_t)++r->used;
    return &r->entries[r->used - 1];
}

static bool has_unchanged(const RowImage *image, uint32_t column_count)
{
    for (uint32_t c = 0; c < column_count; c++) {
        if (!image_has(image, c)) {
            return true;
        }
    }
    return false;
}

/* newer over older, column by column. */
static RowImage merge(Reducer *r, const RowImage *older, RowImage newer)
{
    uint32_t count = r->relation->source->column_count;
    if (!has_unchanged(&newer, count)) {
        return newer;
    }
    Cell *cells = arena_alloc(r->arena, sizeof(Cell) * count);
    for (uint32_t c = 0; c < count; c++) {
        cells[c].state = image_cell(&newer, c, &cells[c].value);
        if (cells[c].state > CELL_NULL) {
            cells[c].state = image_cell(older, c, &cells[c].value);
        }
    }
    newer.merged = cells;
    return newer;
}

/* Takes change into the open net effect; false when the rows do not fit. */
static bool net_add(Reducer *r, const Change *change)
{
    RowImage key = change_key(change);
    if (r->relation->match != MATCH_KEY) {
        r->entries[r->used++] = (Entry){.state = NEW, .key = key, .image = key};
        return true;
    }
    Entry *entry = entry_of(r, &key);
    KeyState from = entry->state;
    KeyState to = transitions[from][change->rows->kind];
    if (to == REFUSED) {
        return false;
    }
    RowImage image = change_image(change);
    if (change->rows->kind == CHANGE_UPDATE && from != NONE) {
        image = merge(r, &entry->image, image);
    }
    entry->state = to;
    entry->image = image;
    return true;
}

static Segment *segment_append(Reducer *r)
{
    Segment *segment = arena_zalloc(r->arena, sizeof(*segment));
    segment->relation = r->relation;
    *r->tail = segment;
    r->tail = &segment->next;
    return segment;
}

static uint64_t key_prefix(const SourceRelation *source, const RowImage *key)
{
    Bytes value = {0};
    image_cell(key, source->keys[0], &value);
    uint8_t bytes[8] = {0};
    if (value.size != 0) {
        memcpy(bytes, value.data, value.size < 8 ? value.size : 8);
    }
    uint64_t prefix = 0;
    for (int i = 0; i < 8; i++) {
        prefix = prefix << 8 | bytes[i];
    }
    return prefix;
}

static int key_order(const void *left, const void *right, void *context)
{
    const NetRow *a = left;
    const NetRow *b = right;
    const SourceRelation *source = context;
    if (a->prefix != b->prefix) {
        return a->prefix < b->prefix ? -1 : 1;
    }
    for (uint32_t i = 0; i < source->key_count; i++) {
        Bytes x = {0};
        Bytes y = {0};
        image_cell(&a->key, source->keys[i], &x);
        image_cell(&b->key, source->keys[i], &y);
        size_t size = x.size < y.size ? x.size : y.size;
        int order = size != 0 ? memcmp(x.data, y.data, size) : 0;
        if (order != 0) {
            return order;
        }
        if (x.size != y.size) {
            return x.size < y.size ? -1 : 1;
        }
    }
    return 0;
}

static void sort_by_key(const ApplyRelation *relation, NetRow *rows, size_t count)
{
    if (relation->match != MATCH_KEY || count < 2) {
        return;
    }
    const SourceRelation *source = relation->source;
    bool sorted = true;
    for (size_t i = 0; i < count; i++) {
        rows[i].prefix = key_prefix(source, &rows[i].key);
        sorted = sorted && (i == 0 || rows[i - 1].prefix < rows[i].prefix);
    }
    if (!sorted) {
        qsort_r(rows, count, sizeof(*rows), key_order, (void *)source);
    }
}

/* The columns that an update writes: those it has a cell for, except the key. */
static void written_columns(const ApplyRelation *relation, const RowImage *image, ColumnWord *set)
{
    const SourceRelation *source = relation->source;
    memset(set, 0, column_words(source->column_count) * sizeof(*set));
    for (uint32_t c = 0; c < source->column_count; c++) {
        if (image_has(image, c) && !relation->columns[c].generated) {
            column_add(set, c);
        }
    }
    for (uint32_t i = 0; i < source->key_count; i++) {
        set[source->keys[i] / 64] &= ~((ColumnWord)1 << (source->keys[i] % 64));
    }
}

/* The group of updates that writes set; the number of groups is what unchanged columns make of it, mostly one. */
static uint32_t group_of(Reducer *r, Segment *segment, const ColumnWord *set, size_t words)
{
    for (size_t g = 0; g < segment->update_count; g++) {
        if (memcmp(segment->updates[g].columns, set, words * sizeof(*set)) == 0) {
            return (uint32_t)g;
        }
    }
    size_t count = segment->update_count;
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        UpdateGroup *grown = arena_alloc(r->arena, sizeof(*grown) * (count == 0 ? 1 : count * 2));
        if (count != 0) {
            memcpy(grown, segment->updates, sizeof(*grown) * count);
        }
        segment->updates = grown;
    }
    ColumnWord *copy = arena_alloc(r->arena, words * sizeof(*copy));
    memcpy(copy, set, words * sizeof(*copy));
    segment->updates[segment->update_count++] = (UpdateGroup){.columns = copy};
    return (uint32_t)count;
}

/* Sorts the open segment's updates into groups of the same columns. */
static void fill_updates(Reducer *r, Segment *segment, size_t update_count)
{
    size_t words = column_words(r->relation->source->column_count);
    ColumnWord *set = arena_alloc(r->arena, words * sizeof(*set));
    uint32_t *groups = arena_alloc(r->arena, sizeof(*groups) * update_count);
    size_t n = 0;
    for (size_t i = r->opened; i < r->used; i++) {
        if (r->entries[i].state == CHANGED) {
            written_columns(r->relation, &r->entries[i].image, set);
            groups[n] = group_of(r, segment, set, words);
            segment->updates[groups[n]].count++;
            n++;
        }
    }
    for (size_t g = 0; g < segment->update_count; g++) {
        UpdateGroup *group = &segment->updates[g];
        group->rows = arena_alloc(r->arena, sizeof(NetRow) * group->count);
        group->count = 0;
    }
    n = 0;
    for (size_t i = r->opened; i < r->used; i++) {
        if (r->entries[i].state == CHANGED) {
            UpdateGroup *group = &segment->updates[groups[n++]];
            group->rows[group->count++] = (NetRow){.image = r->entries[i].image, .key = r->entries[i].key};
        }
    }
    for (size_t g = 0; g < segment->update_count; g++) {
        sort_by_key(r->relation, segment->updates[g].rows, segment->updates[g].count);
    }
}

static void fill_deletes_and_inserts(Reducer *r, Segment *segment, size_t deletes, size_t inserts)
{
    segment->deletes = arena_alloc(r->arena, sizeof(NetRow) * deletes);
    segment->inserts = arena_alloc(r->arena, sizeof(NetRow) * inserts);
    for (size_t i = r->opened; i < r->used; i++) {
        const Entry *entry = &r->entries[i];
        if (entry->state == GONE || entry->state == REPLACED) {
            segment->deletes[segment->delete_count++] = (NetRow){.image = entry->key, .key = entry->key};
        }
        if (entry->state == NEW || entry->state == REPLACED) {
            segment->inserts[segment->insert_count++] = (NetRow){.image = entry->image, .key = entry->key};
        }
    }
    sort_by_key(r->relation, segment->deletes, segment->delete_count);
    sort_by_key(r->relation, segment->inserts, segment->insert_count);
}

/* Turns what is open, if anything, into a segment. */
static void close_segment(Reducer *r)
{
    if (r->row_count != 0) {
        Segment *segment = segment_append(r);
        segment->by_rows = true;
        segment->changes = r->rows;
        segment->change_count = r->row_count;
        r->rows += r->row_count;
        r->row_count = 0;
    }
    size_t states[STATE_COUNT] = {0};
    for (size_t i = r->opened; i < r->used; i++) {
        states[r->entries[i].state]++;
    }
    size_t deletes = states[GONE] + states[REPLACED];
    size_t inserts = states[NEW] + states[REPLACED];
    if (deletes + inserts + states[CHANGED] != 0) {
        Segment *segment = segment_append(r);
        fill_deletes_and_inserts(r, segment, deletes, inserts);
        if (states[CHANGED] != 0) {
            fill_updates(r, segment, states[CHANGED]);
        }
    }
    r->opened = r->used;
}

static void rows_add(Reducer *r, const Change *change)
{
    if (r->row_count == 0) {
        close_segment(r);
    }
    r->rows[r->row_count++] = change;
}

static void reduce_group(Reducer *r, const Group *group)
{
    Segment *full = reduce_full(r->arena, group->relation, group->changes, group->count);
    if (full != NULL) {
        *r->tail = full;
        r->tail = &full->next;
        return;
    }
    size_t size = 16;
    while (size < group->count * 2) {
        size *= 2;
    }
    r->relation = group->relation;
    r->entries = arena_alloc(r->arena, sizeof(Entry) * group->count);
    r->rows = arena_alloc(r->arena, sizeof(*r->rows) * group->count);
    r->slots = group->relation->match == MATCH_KEY ? arena_zalloc(r->arena, sizeof(*r->slots) * size) : NULL;
    r->mask = size - 1;
    r->opened = 0;
    r->used = 0;
    r->row_count = 0;
    for (size_t i = 0; i < group->count; i++) {
        const Change *change = group->changes[i];
        if (!reducible(change)) {
            rows_add(r, change);
            continue;
        }
        if (r->row_count != 0) {
            close_segment(r);
        }
        if (!net_add(r, change)) {
            rows_add(r, change);
        }
    }
    close_segment(r);
}

/* Gives every change the number of its relation's group, in order of first appearance; returns how many there are. */
static size_t number_groups(Arena *arena, const Change *changes, size_t count, uint32_t *numbers,
                            Group *groups)
{
    size_t size = 16;
    while (size < count * 2) {
        size *= 2;
    }
    uint32_t *slots = arena_zalloc(arena, sizeof(*slots) * size); /* group number + 1 */
    size_t group_count = 0;
    for (size_t i = 0; i < count; i++) {
        const ApplyRelation *relation = changes[i].relation;
        if (i != 0 && relation == changes[i - 1].relation) {
            numbers[i] = numbers[i - 1];
        } else {
            size_t slot = (relation->serial * 0x9E3779B97F4A7C15u >> 32) & (size - 1);
            while (slots[slot] != 0 && groups[slots[slot] - 1].relation != relation) {
                slot = (slot + 1) & (size - 1);
            }
            if (slots[slot] == 0) {
                groups[group_count] = (Group){.relation = relation};
                slots[slot] = (uint32_t)++group_count;
            }
            numbers[i] = slots[slot] - 1;
        }
        groups[numbers[i]].count++;
    }
    return group_count;
}

static int compare_tables(const void *a, const void *b)
{
    const Group *first = *(const Group *const *)a, *second = *(const Group *const *)b;
    uint32_t one = first->relation->oid, other = second->relation->oid;
    return one != other ? (one > other) - (one < other) : (first > second) - (first < second);
}

/*
 * In the order of their OIDs, which is nearly that in which their rows of the catalogs, and their files, came to be: who opens some
 * thousand tables one after the other finds most of what it reads about one beside what it read about the last.
 */
static const Group **in_order(Arena *arena, const Group *groups, size_t count)
{
    const Group **order = arena_alloc(arena, sizeof(*order) * (count + 1));
    for (size_t g = 0; g < count; g++) {
        order[g] = &groups[g];
    }
    qsort(order, count, sizeof(*order), compare_tables);
    return order;
}

Segment *reduce(Arena *arena, const Change *changes, size_t count)
{
    Reducer r = {.arena = arena};
    r.tail = &r.first;
    uint32_t *numbers = arena_alloc(arena, sizeof(*numbers) * count);
    Group *groups = arena_alloc(arena, sizeof(*groups) * count);
    size_t group_count = number_groups(arena, changes, count, numbers, groups);
    for (size_t g = 0; g < group_count; g++) {
        groups[g].changes = arena_alloc(arena, sizeof(*groups[g].changes) * groups[g].count);
        groups[g].count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        Group *group = &groups[numbers[i]];
        group->changes[group->count++] = &changes[i];
    }
    const Group **order = in_order(arena, groups, group_count);
    for (size_t g = 0; g < group_count; g++) {
        reduce_group(&r, order[g]);
    }
    return r.first;
}
