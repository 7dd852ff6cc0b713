/*
 * What the tests of the wire share: a writer and a reader joined by frames, small records to write, and frames forged by
 * the generated code, which the writer would never write.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "penstock.pb-c.h"
#include "reader.h"
#include "writer.h"

typedef struct Wire {
    FrameWriter *writer;
    FrameReader *reader;
    Arena *arena; /* of the frames read, never reset: views into it stay valid through a test */
    Record *records;
    size_t count;
    size_t frame_bytes; /* of the last frame */
    uint64_t passed;    /* frames read so far */
    Error error;
} Wire;

Wire *wire_new(WireCodec codec, size_t frame_size);
void wire_free(Wire *wire);

/* Asserts that a call worked, and shows its error where not. */
#define ok(wire, call)                                                                                       \
    do {                                                                                                     \
        if ((call) != 0) {                                                                                   \
            fail_msg("%s", (wire)->error.message);                                                           \
        }                                                                                                    \
    } while (0)

#define text(literal) bytes_of(literal, sizeof(literal) - 1)
#define assert_bytes(bytes, literal)                                                                         \
    do {                                                                                                     \
        assert_int_equal((bytes).size, sizeof(literal) - 1);                                                 \
        assert_memory_equal((bytes).data, literal, sizeof(literal) - 1);                                     \
    } while (0)

/* Takes the frame and reads it into records. */
void wire_pass(Wire *wire);

void wire_hello(Wire *wire);
void wire_begin(Wire *wire, Lsn lsn);
/* A relation "public"."t" of columns c1, c2, … of type text, the first being the key. */
void wire_relation(Wire *wire, uint32_t id, uint32_t column_count);
void wire_commit(Wire *wire, Lsn lsn);

/* An insert of one text per column; NULL is null. */
void wire_insert(Wire *wire, uint32_t relation, uint32_t column_count, ...);

/* A frame around batch, not compressed, as sent first on a connection. The caller frees it. */
uint8_t *forge_frame(Bytes batch, bool open, size_t *size);
