/*
 * Protobuf's primitives, as far as the writer writes them by hand: varints and the tags of fields.
 * The caller has made room: put functions return where the next byte goes and check nothing.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VARINT_MAX_SIZE 10

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* A field's tag; one byte, since no field here is numbered above 15. */
#define FIELD_TAG(number, type) ((uint8_t)((number) << 3 | (type)))

/* Bytes that value takes: one for each begun group of 7 bits. */
static inline size_t varint_size(uint64_t value)
{
    unsigned bits = 64 - (unsigned)__builtin_clzll(value | 1);
    return (bits + 6) / 7;
}

static inline uint8_t *varint_put(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

/* A number field, left out when 0 as proto3 does. */
static inline size_t number_field_size(uint64_t value)
{
    return value == 0 ? 0 : 1 + varint_size(value);
}

static inline uint8_t *number_field_put(uint8_t *at, unsigned number, uint64_t value)
{
    if (value == 0) {
        return at;
    }
    *at++ = FIELD_TAG(number, WIRE_VARINT);
    return varint_put(at, value);
}

/* As sint32 and sint64 are written: small numbers stay small whatever their sign. */
static inline uint64_t zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline uint8_t *fixed32_field_put(uint8_t *at, unsigned number, uint32_t value)
{
    *at++ = FIELD_TAG(number, WIRE_FIXED32);
    for (int i = 0; i < 4; i++) {
        *at++ = (uint8_t)(value >> 8 * i);
    }
    return at;
}

#define FIXED64_FIELD_SIZE 9

static inline uint8_t *fixed64_field_put(uint8_t *at, unsigned number, uint64_t value)
{
    *at++ = FIELD_TAG(number, WIRE_FIXED64);
    for (int i = 0; i < 8; i++) {
        *at++ = (uint8_t)(value >> 8 * i);
    }
    return at;
}

/* The tag and length that stand before size bytes, and with them. */
static inline size_t bytes_field_size(size_t size)
{
    return 1 + varint_size(size) + size;
}

static inline uint8_t *bytes_field_head(uint8_t *at, unsigned number, size_t size)
{
    *at++ = FIELD_TAG(number, WIRE_BYTES);
    return varint_put(at, size);
}
