/*
 * The only place where the reader touches a byte whose existence has not been checked elsewhere: every step
 * compares with end before it looks.
 */
#include "cursor.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "varint.h"

int cursor_error(const Cursor *cursor, Error *error, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return error_set(error, ERROR_PROTOCOL, "byte %td: %s", cursor->at - cursor->base, text);
}

int cursor_long_varint(Cursor *cursor, uint64_t *value, Error *error)
{
    const uint8_t *at = cursor->at;
    uint64_t result = 0;
    for (unsigned shift = 0; shift < 64 && at < cursor->end; shift += 7) {
        uint8_t byte = *at++;
        result |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (shift == 63 && byte > 1) {
                break;
            }
            cursor->at = at;
            *value = result;
            return 0;
        }
    }
    return cursor_error(cursor, error, "a number that does not end, or has more than 64 bits");
}

static int read_fixed(Cursor *cursor, size_t size, uint64_t *value, Error *error)
{
    if ((size_t)(cursor->end - cursor->at) < size) {
        return cursor_error(cursor, error, "%zu bytes wanted, %td left", size, cursor->end - cursor->at);
    }
    *value = 0;
    memcpy(value, cursor->at, size);
    *value = le64toh(*value);
    cursor->at += size;
    return 0;
}

static int read_bytes(Cursor *cursor, Bytes *bytes, Error *error)
{
    uint64_t size = 0;
    if (cursor_varint(cursor, &size, error) != 0) {
        return -1;
    }
    if (size > (uint64_t)(cursor->end - cursor->at)) {
        return cursor_error(cursor, error, "%" PRIu64 " bytes wanted, %td left", size,
                            cursor->end - cursor->at);
    }
    *bytes = bytes_of(cursor->at, size);
    cursor->at += size;
    return 0;
}

int cursor_field(Cursor *cursor, WireField *field, Error *error)
{
    uint64_t tag = 0;
    Cursor start = *cursor;
    if (cursor_varint(cursor, &tag, error) != 0) {
        return -1;
    }
    if (tag >> 3 == 0 || tag > UINT32_MAX) {
        return cursor_error(&start, error, "no field has the tag %" PRIu64, tag);
    }
    field->number = (uint32_t)(tag >> 3);
    field->type = tag & 7;
    switch (field->type) {
    case WIRE_VARINT:
        return cursor_varint(cursor, &field->value, error);
    case WIRE_FIXED64:
        return read_fixed(cursor, sizeof(uint64_t), &field->value, error);
    case WIRE_FIXED32:
        return read_fixed(cursor, sizeof(uint32_t), &field->value, error);
    case WIRE_BYTES:
        return read_bytes(cursor, &field->bytes, error);
    default:
        return cursor_error(&start, error, "field %u has wire type %u, which is not used", field->number,
                            field->type);
    }
}
