/*
 * Growth doubles, so that appending costs a constant share of copying; a first allocation is not too small to
 * be worth having.
 */
#include "buffer.h"

#include <stdlib.h>

#define SMALLEST 64

int buffer_grow(Buffer *buffer, size_t more, Error *error)
{
    size_t wanted = buffer->used + more;
    size_t capacity = buffer->capacity < SMALLEST ? SMALLEST : buffer->capacity * 2;
    if (capacity < wanted) {
        capacity = wanted;
    }
    uint8_t *data = wanted < more ? NULL : realloc(buffer->data, capacity);
    if (data == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a buffer of %zu bytes", capacity);
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

void buffer_free(Buffer *buffer)
{
    free(buffer->data);
    *buffer = (Buffer){0};
}
