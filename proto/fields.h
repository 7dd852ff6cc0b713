/*
 * Messages as tables: what fields there are, what they may hold, and where in a C struct they go. One
 * function decodes them all, and refuses what a table does not name: unknown fields, fields that stand twice,
 * numbers out of range.
 */
#pragma once

#include "arena.h"
#include "cursor.h"

typedef enum FieldKind {
    FIELD_U32, /* uint32_t, or an enum */
    FIELD_U64, /* uint64_t */
    FIELD_S32, /* int32_t, zigzag */
    FIELD_S64, /* int64_t, zigzag */
    FIELD_BOOL,
    FIELD_FIXED32, /* uint32_t */
    FIELD_FIXED64, /* uint64_t */
    FIELD_BYTES,   /* Bytes */
    FIELD_LIST,    /* BytesList: repeated bytes or messages */
} FieldKind;

typedef struct BytesList {
    uint32_t count;
    Bytes *items;
} BytesList;

typedef struct FieldSpec {
    const char *name;
    FieldKind kind;
    uint32_t limit; /* FIELD_U32: the largest value; FIELD_LIST: the most entries */
    size_t offset;  /* in the struct */
} FieldSpec;

typedef struct MessageSpec {
    const char *name;
    size_t size; /* of the struct */
    uint32_t count;
    const FieldSpec *fields; /* field N of the message is fields[N - 1] */
} MessageSpec;

#define MESSAGE_SPEC(label, type, table)                                                                     \
    {                                                                                                        \
        .name = label, .size = sizeof(type), .count = sizeof(table) / sizeof *(table), .fields = table       \
    }

/*
 * size bytes of the arena for what the bytes that are read need; NULL, and an error, when there is no memory. Every
 * allocation of the reader comes from here, and none is larger than READER_FACTOR times the bytes that it is for.
 */
void *message_alloc(Arena *arena, size_t size, Error *error);

/* Clears *out and fills it. What it points to lies in the cursor's bytes or in arena. */
int message_decode(const MessageSpec *spec, Cursor body, Arena *arena, void *out, Error *error) MUST_CHECK;
