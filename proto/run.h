/*
 * A run being built: consecutive changes of one kind in one relation, cell by cell into columns, written out
 * as one Rows record. Its memory is kept from run to run.
 *
 * A row counts when run_row_end has been called; until then it can be dropped as if it had never been opened.
 */
#pragma once

#include <stdbool.h>

#include "buffer.h"
#include "wire.h"

/* What makes two rows go into one run. */
typedef struct RunKey {
    uint32_t relation;
    uint32_t column_count;
    ChangeKind kind;
    OldRow old;
} RunKey;

/* One column of one side. It has a cell more than the run has rows while a row is open there. */
typedef struct RunColumn {
    Buffer states;  /* a CellState per cell */
    Buffer lengths; /* a uint32_t per value */
    Buffer data;
} RunColumn;

typedef struct RunSide {
    RunColumn *columns;
    uint32_t capacity; /* of columns */
    uint32_t next;     /* column of the open row's next cell */
    uint32_t wanted;   /* cells that a row has: the key's column_count, or 0 when the side is not there */
    unsigned allowed;  /* 1 << CellState of each state that may stand here */
} RunSide;

typedef struct Run {
    RunKey key;
    uint32_t count; /* finished rows */
    uint64_t first_sequence;
    bool row_open;
    size_t size;     /* about the bytes it will take, finished rows only */
    size_t row_size; /* the same of the open row */
    size_t held;     /* bytes of memory in columns' buffers */
    RunSide sides[2];
} Run;

/* The image or images that a change of this kind has, and whether kind and old fit together. */
bool run_has_side(ChangeKind kind, OldRow old, RowSide side);
bool run_kind_is_valid(ChangeKind kind, OldRow old);

/* 1 << CellState of each state that may stand on a side; 0 when the side is not there. Shared with the
 * reader. */
unsigned run_allowed_states(ChangeKind kind, OldRow old, RowSide side);

/* True when a row of key may be added to the rows that are there. */
bool run_fits(const Run *run, const RunKey *key);

/* Starts a run of key; the one before must have been cleared. first_sequence numbers its first row. */
int run_start(Run *run, const RunKey *key, uint64_t first_sequence, Error *error) MUST_CHECK;

void run_row(Run *run);
int run_value(Run *run, RowSide side, const void *data, size_t size, Error *error) MUST_CHECK;
int run_state(Run *run, RowSide side, CellState state, Error *error) MUST_CHECK;
int run_row_end(Run *run, Error *error) MUST_CHECK;
void run_row_drop(Run *run);

/* Appends the run to batch as one record. Unfinished rows must have been dropped. */
int run_write(const Run *run, Buffer *batch, Error *error) MUST_CHECK;

/* Forgets all rows, and keeps the memory unless it is more than keep bytes. */
void run_clear(Run *run, size_t keep);
void run_free(Run *run);
