/*
 * Rows records: from a message to the cells of its columns.
 */
#pragma once

#include "cursor.h"
#include "reader.h"

/* What the Rows records of one frame share. */
typedef struct RowsDecoder {
    Arena *arena;
    const uint32_t *zeros; /* offsets of columns without bytes */
    uint32_t zero_count;
} RowsDecoder;

/* The bytes that the record's cells point to are the cursor's. */
int rows_decode(RowsDecoder *decoder, Cursor body, RowsRecord *rows, Error *error) MUST_CHECK;
