/*
 * Many new rows of one relation as COPY … FROM STDIN in binary format: the statement, and its data piece by piece, so
 * that no more than a piece is held however large the rows are. Pure.
 *
 * For relations that are copyable (relation.h) only: the server reads a cell's bytes as they came from the source.
 */
#pragma once

#include "arena.h"
#include "reduce.h"

#define COPY_PIECE ((size_t)64 << 10)

/* Rows on their way. */
typedef struct CopyData {
    const ApplyRelation *relation;
    const NetRow *rows;
    size_t count;
    const uint32_t *columns; /* that are written, ascending */
    uint32_t column_count;

    size_t row; /* what comes next: this cell, behind the rest of the cell before */
    uint32_t column;
    Bytes rest;
    bool begun;
    bool ended;
    uint8_t *piece;
} CopyData;

/* The statement: all columns but those that the target generates. The caller frees it. */
char *copy_sql(const ApplyRelation *relation);

/* The images of rows as data of that statement; what it takes lives in arena. */
CopyData copy_data(Arena *arena, const ApplyRelation *relation, const NetRow *rows, size_t count);

/* The next piece, of at most COPY_PIECE bytes, valid until the next call; an empty one when there is nothing left. */
Bytes copy_data_next(CopyData *data);
