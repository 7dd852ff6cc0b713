/*
 * Reduction: what a batch of changes comes to. Pure: values in, values out, no database.
 *
 * The changes are taken apart by relation, in the order of their OIDs on the target, and each relation's into segments, which must
 * be applied in the order of the list. A segment is one of two things:
 *   - a net effect: at most one deletion and one insertion, or one update, per key; to be applied as deletes, then
 *     updates, then inserts, each list sorted by key;
 *   - changes that must be applied one by one, in source order.
 * reduce.c says which changes go where.
 */
#pragma once

#include "arena.h"
#include "batch.h"
#include "image.h"

typedef struct NetRow {
    RowImage image;  /* the row as it becomes; for deletes the same as key */
    RowImage key;    /* has the key the row is found by */
    uint64_t prefix; /* first bytes of the key, for sorting */
} NetRow;

/* Updates that write the same columns. */
typedef struct UpdateGroup {
    const ColumnWord *columns; /* what they write: never the key */
    NetRow *rows;
    size_t count;
} UpdateGroup;

/* Rows that go, each found by all its columns: these have a value, the others are null. No row is in a group twice. */
typedef struct LostGroup {
    const ColumnWord *find;
    uint32_t time; /* how many of the same rows go before, in other groups */
    NetRow *rows;
    size_t count;
} LostGroup;

typedef struct Segment {
    struct Segment *next;
    const ApplyRelation *relation;
    bool by_rows;

    const Change **changes; /* by_rows: in source order */
    size_t change_count;

    NetRow *deletes;
    size_t delete_count;
    UpdateGroup *updates;
    size_t update_count;
    LostGroup *lost; /* of a relation without a key; see reduce_full.h */
    size_t lost_count;
    NetRow *inserts;
    size_t insert_count;
} Segment;

/* The segments of changes, in order, allocated in arena. NULL when they come to nothing. */
Segment *reduce(Arena *arena, const Change *changes, size_t count);

/* The side of a change that has the key by which its row is found on the target. */
RowImage change_key(const Change *change);

/* The row as the change leaves it; for deletes, as it was. */
RowImage change_image(const Change *change);

/* True when an update gives its row another key. */
bool change_moves_key(const Change *change);
