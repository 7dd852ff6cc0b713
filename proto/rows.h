/*
 * Rows records: from a message to the cells of its columns.
 */
#pragma once

#include "cursor.h"
#include "reader.h"

/* The bytes that the record's cells point to are the cursor's. */
int rows_decode(Cursor body, Arena *arena, RowsRecord *rows, Error *error) MUST_CHECK;
