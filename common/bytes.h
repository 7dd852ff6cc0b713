/*
 * A borrowed run of bytes: a view, never an owner. Valid as long as the thing it points into.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct Bytes {
    const uint8_t *data;
    size_t size;
} Bytes;

static inline Bytes bytes_of(const void *data, size_t size)
{
    return (Bytes){.data = data, .size = size};
}
