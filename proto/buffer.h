/*
 * Bytes that grow at the end and keep their memory for the next use. Growing can fail, and then nothing has
 * changed: inside the source server running out of memory must be an error of this connection only.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "error.h"

typedef struct Buffer {
    uint8_t *data;
    size_t used;
    size_t capacity;
} Buffer;

/* Makes room for more bytes behind those used, at least doubling. */
int buffer_grow(Buffer *buffer, size_t more, Error *error) MUST_CHECK;

/* Gives the memory back. */
void buffer_free(Buffer *buffer);

static inline int MUST_CHECK buffer_reserve(Buffer *buffer, size_t more, Error *error)
{
    return buffer->capacity - buffer->used >= more ? 0 : buffer_grow(buffer, more, error);
}
