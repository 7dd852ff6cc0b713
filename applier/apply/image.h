/*
 * Where the cells of one side of a row are: in the frame that brought it, or, when several changes of a row
 * were merged into one, in an array of cells of its own. An image owns nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reader.h"

typedef struct Cell {
    CellState state;
    Bytes value;
} Cell;

typedef struct RowImage {
    const RowsRecord *rows;
    uint32_t row;
    RowSide side;
    const Cell *merged; /* one per column, instead of the rest; else NULL */
} RowImage;

static inline CellState image_cell(const RowImage *image, uint32_t column, Bytes *value)
{
    if (image->merged != NULL) {
        *value = image->merged[column].value;
        return image->merged[column].state;
    }
    return rows_cell(image->rows, image->side, column, image->row, value);
}

/* A value or a null: something that can be written. */
static inline bool image_has(const RowImage *image, uint32_t column)
{
    Bytes value;
    return image_cell(image, column, &value) <= CELL_NULL;
}

/* Sets of column numbers: one bit each. */
typedef uint64_t ColumnWord;

static inline size_t column_words(uint32_t column_count)
{
    return column_count / 64 + 1;
}

static inline void column_add(ColumnWord *set, uint32_t column)
{
    set[column / 64] |= (ColumnWord)1 << (column % 64);
}

static inline bool column_in(const ColumnWord *set, uint32_t column)
{
    return (set[column / 64] >> (column % 64)) & 1;
}
