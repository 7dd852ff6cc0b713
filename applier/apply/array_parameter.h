/*
 * The values of one column as one array, in PostgreSQL's binary format: what unnest takes apart again on the
 * target.
 */
#pragma once

#include "arena.h"
#include "reduce.h"

/* An array as large as this is refused by the server. */
#define ARRAY_PARAMETER_LIMIT ((size_t)1 << 30)

/* Which image of a net row the values come from. */
typedef enum ImageSide { IMAGE_NEW, IMAGE_KEY } ImageSide;

/*
 * The cells of column of all rows, in order, as an array of element_type, allocated in arena. Cells that are
 * no value become NULL elements. data is NULL when it would pass ARRAY_PARAMETER_LIMIT.
 */
Bytes array_parameter(Arena *arena, const NetRow *rows, size_t count, ImageSide side, uint32_t column,
                      uint32_t element_type);
