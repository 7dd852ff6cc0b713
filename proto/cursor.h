/*
 * Walking protobuf bytes field by field, without copying and without trust: a field is handed out only when
 * all of it lies within the bytes.
 */
#pragma once

#include <stdbool.h>

#include "bytes.h"
#include "error.h"

typedef struct Cursor {
    const uint8_t *base; /* offsets in errors count from here */
    const uint8_t *at;
    const uint8_t *end;
} Cursor;

typedef struct WireField {
    uint32_t number;
    uint32_t type;  /* WIRE_VARINT, WIRE_FIXED32, WIRE_FIXED64 or WIRE_BYTES: no other is used */
    uint64_t value; /* of the first three */
    Bytes bytes;    /* of the last */
} WireField;

static inline Cursor cursor_of(Bytes bytes)
{
    return (Cursor){.base = bytes.data, .at = bytes.data, .end = bytes.data + bytes.size};
}

/* A cursor over a part, whose errors count from the same base. A part that is not there is empty, where whole stands. */
static inline Cursor cursor_into(const Cursor *whole, Bytes part)
{
    const uint8_t *at = part.data != NULL ? part.data : whole->at;
    return (Cursor){.base = whole->base, .at = at, .end = at + part.size};
}

static inline bool cursor_at_end(const Cursor *cursor)
{
    return cursor->at == cursor->end;
}

/* Fills error with ERROR_PROTOCOL and "byte N: " before the text. Returns -1. */
int cursor_error(const Cursor *cursor, Error *error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int cursor_long_varint(Cursor *cursor, uint64_t *value, Error *error) MUST_CHECK;

/* Most numbers have one byte. */
static inline int MUST_CHECK cursor_varint(Cursor *cursor, uint64_t *value, Error *error)
{
    if (cursor->at < cursor->end && *cursor->at < 0x80) {
        *value = *cursor->at++;
        return 0;
    }
    return cursor_long_varint(cursor, value, error);
}

int cursor_field(Cursor *cursor, WireField *field, Error *error) MUST_CHECK;
