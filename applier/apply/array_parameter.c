/*
 * The binary format of a one-dimensional array is a header of five 32-bit numbers in network order
 * (dimensions, has nulls, element type, size, lower bound), then each element's length (-1 for NULL) and
 * bytes. Cells of a frame are in the elements' own binary format already (for text that is its bytes), so
 * this is copying, once to measure and once to fill.
 */
#include "array_parameter.h"

#include <arpa/inet.h>
#include <string.h>

#define HEADER_SIZE 20

static const RowImage *image_of(const NetRow *row, ImageSide side)
{
    return side == IMAGE_NEW ? &row->image : &row->key;
}

static uint8_t *put_int32(uint8_t *at, uint32_t value)
{
    uint32_t network = htonl(value);
    memcpy(at, &network, sizeof(network));
    return at + sizeof(network);
}

static size_t measure(const NetRow *rows, size_t count, ImageSide side, uint32_t column, bool *nulls)
{
    size_t size = HEADER_SIZE + 4 * count;
    for (size_t i = 0; i < count; i++) {
        Bytes value;
        if (image_cell(image_of(&rows[i], side), column, &value) == CELL_VALUE) {
            size += value.size;
        } else {
            *nulls = true;
        }
    }
    return size;
}

Bytes array_parameter(Arena *arena, const NetRow *rows, size_t count, ImageSide side, uint32_t column,
                      uint32_t element_type)
{
    bool nulls = false;
    size_t size = measure(rows, count, side, column, &nulls);
    if (size >= ARRAY_PARAMETER_LIMIT) {
        return (Bytes){0};
    }
    uint8_t *data = arena_alloc(arena, size);
    uint8_t *at = put_int32(data, 1);
    at = put_int32(at, nulls);
    at = put_int32(at, element_type);
    at = put_int32(at, (uint32_t)count);
    at = put_int32(at, 1);
    for (size_t i = 0; i < count; i++) {
        Bytes value;
        if (image_cell(image_of(&rows[i], side), column, &value) != CELL_VALUE) {
            at = put_int32(at, UINT32_MAX);
            continue;
        }
        at = put_int32(at, (uint32_t)value.size);
        if (value.size != 0) {
            memcpy(at, value.data, value.size);
            at += value.size;
        }
    }
    return bytes_of(data, size);
}
