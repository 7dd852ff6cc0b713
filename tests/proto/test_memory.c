/*
 * The memory of a reader is bounded by the bytes that are there (READER_FACTOR), and where there is none that is an error.
 */
#include "fixture.h"

#include <xxhash.h>

#include "wire_limits.h"

#define RELATION 5
#define RECORDS 40

/* A connection that has described a relation of MAX_COLUMNS columns, in a transaction that is open. */
static Wire *wire_with_wide_relation(void)
{
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, RELATION, MAX_COLUMNS);
    wire_pass(wire);
    return wire;
}

/* Records of as many rows and columns as there can be, all of whose columns are this one. */
static Bytes forge_batch(const Penstock__Column *column)
{
    static Penstock__Column *columns[MAX_COLUMNS];
    Penstock__Rows rows[RECORDS];
    Penstock__Record records[RECORDS], *list[RECORDS];
    for (int i = 0; i < MAX_COLUMNS; i++) {
        columns[i] = (Penstock__Column *)column;
    }
    for (int i = 0; i < RECORDS; i++) {
        penstock__rows__init(&rows[i]);
        rows[i].relation = RELATION;
        rows[i].count = MAX_RUN_ROWS;
        rows[i].first_sequence = 1 + (uint64_t)i * MAX_RUN_ROWS;
        rows[i].n_new_columns = MAX_COLUMNS;
        rows[i].new_columns = columns;
        penstock__record__init(&records[i]);
        records[i].kind_case = PENSTOCK__RECORD__KIND_ROWS;
        records[i].rows = &rows[i];
        list[i] = &records[i];
    }
    Penstock__Batch batch = PENSTOCK__BATCH__INIT;
    batch.n_records = RECORDS;
    batch.records = list;
    size_t size = penstock__batch__get_packed_size(&batch);
    uint8_t *bytes = malloc(size);
    penstock__batch__pack(&batch, bytes);
    return bytes_of(bytes, size);
}

static int hand_in(Wire *wire, Bytes batch, Arena *arena)
{
    Penstock__Frame frame = PENSTOCK__FRAME__INIT;
    frame.raw_size = (uint32_t)batch.size;
    frame.open = true;
    frame.checksum = (uint32_t)XXH3_64bits_withSeed(batch.data, batch.size, wire->passed++);
    frame.payload = (ProtobufCBinaryData){.len = batch.size, .data = (uint8_t *)batch.data};
    size_t size = penstock__frame__get_packed_size(&frame);
    uint8_t *bytes = malloc(size);
    penstock__frame__pack(&frame, bytes);
    int status = frame_reader_open(wire->reader, bytes_of(bytes, size), arena, &wire->records, &wire->count,
                                   &wire->error);
    free(bytes);
    return status;
}

static void rows_without_bytes_take_no_memory(void **state)
{
    (void)state;
    static uint32_t zero[] = {0};
    Penstock__Column empty = PENSTOCK__COLUMN__INIT, zeros = PENSTOCK__COLUMN__INIT,
                     nulls = PENSTOCK__COLUMN__INIT;
    zeros.n_lengths = 1;
    zeros.lengths = zero;
    nulls.states = (ProtobufCBinaryData){.len = 1, .data = (uint8_t *)"\1"};
    const Penstock__Column *columns[] = {&empty, &zeros, &nulls};
    for (int i = 0; i < 3; i++) {
        Wire *wire = wire_with_wide_relation();
        Bytes batch = forge_batch(columns[i]);
        Arena *arena = arena_new(65536);
        arena_limit(arena, batch.size * (READER_FACTOR + 1));
        ok(wire, hand_in(wire, batch, arena));
        assert_int_equal(wire->count, RECORDS);
        Bytes value;
        CellState cell =
            rows_cell(&wire->records[RECORDS - 1].rows, SIDE_NEW, MAX_COLUMNS - 1, MAX_RUN_ROWS - 1, &value);
        assert_int_equal(cell, i == 2 ? CELL_NULL : CELL_VALUE);
        assert_int_equal(i == 2 ? 0 : value.size, 0);
        arena_free(arena);
        free((void *)batch.data);
        wire_free(wire);
    }
}

/* A length of 0 in more bytes than it needs, which no writer of ours would write. */
static void length_in_a_long_form_takes_no_memory(void **state)
{
    (void)state;
    uint8_t record[] = {0x0a, 0x12, 0x22, 0x10, 0x08, RELATION, 0x20, 0x80, 0x80, 0x04,
                        0x28, 0x01, 0x32, 0x04, 0x12, 0x02,     0x80, 0x00, 0x32, 0x00};
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, RELATION, 2);
    wire_pass(wire);
    uint8_t *batch = calloc(1, SMALL_BATCH_SIZE);
    Arena *arena = arena_new(64);
    arena_limit(arena, sizeof record * READER_FACTOR);
    Penstock__Frame frame = PENSTOCK__FRAME__INIT;
    frame.open = true;
    frame.checksum = (uint32_t)XXH3_64bits_withSeed(record, sizeof record, wire->passed);
    frame.payload = (ProtobufCBinaryData){.len = sizeof record, .data = record};
    size_t size = penstock__frame__pack(&frame, batch);
    ok(wire, frame_reader_open(wire->reader, bytes_of(batch, size), arena, &wire->records, &wire->count,
                               &wire->error));
    assert_int_equal(wire->records[0].rows.count, MAX_RUN_ROWS);
    arena_free(arena);
    free(batch);
    wire_free(wire);
}

/* Whatever is the last allocation that finds memory: the frame is refused, and the reader says that it ends there. */
static void no_memory_is_an_error(void **state)
{
    (void)state;
    bool read = false;
    for (size_t limit = 0; !read; limit += 512) {
        Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
        wire_hello(wire);
        wire_begin(wire, 1000);
        wire_relation(wire, RELATION, 3);
        for (int i = 0; i < 50; i++) {
            wire_insert(wire, RELATION, 3, "one", "", i % 2 == 0 ? NULL : "more than one");
        }
        const uint32_t relations[] = {RELATION};
        TruncateRecord truncate = {.relation_count = 1, .relations = relations};
        ok(wire, writer_truncate(wire->writer, &truncate, &wire->error));
        wire_commit(wire, 1000);
        Bytes frame;
        ok(wire, frame_writer_take(wire->writer, &frame, &wire->error));
        Arena *arena = arena_new(1);
        arena_limit(arena, limit);
        read = frame_reader_open(wire->reader, frame, arena, &wire->records, &wire->count, &wire->error) == 0;
        if (!read) {
            assert_int_equal(wire->error.code, ERROR_SYSTEM);
            assert_non_null(strstr(wire->error.message, "no memory for "));
            assert_true(wire->error.hint[0] != '\0');
            assert_int_equal(wire->count, 0);
        } else {
            assert_true(limit > 0);
        }
        arena_free(arena);
        wire_free(wire);
    }
}

static void size_that_bytes_cannot_have_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    Bytes bytes;
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    Penstock__Frame *frame = penstock__frame__unpack(NULL, bytes.size, bytes.data);
    frame->raw_size = (uint32_t)((frame->payload.len + 1) * ZSTD_FACTOR);
    size_t size = penstock__frame__get_packed_size(frame);
    uint8_t *spoiled = malloc(size);
    penstock__frame__pack(frame, spoiled);
    Arena *arena = arena_new(64);
    arena_limit(arena, 1024);
    assert_int_equal(frame_reader_open(wire->reader, bytes_of(spoiled, size), arena, &wire->records,
                                       &wire->count, &wire->error),
                     -1);
    assert_int_equal(wire->error.code, ERROR_PROTOCOL);
    assert_non_null(strstr(wire->error.message, "bytes of payload cannot inflate to"));
    penstock__frame__free_unpacked(frame, NULL);
    free(spoiled);
    arena_free(arena);
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_without_bytes_take_no_memory),
        cmocka_unit_test(length_in_a_long_form_takes_no_memory),
        cmocka_unit_test(no_memory_is_an_error),
        cmocka_unit_test(size_that_bytes_cannot_have_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
