/*
 * The writer alone: its bytes are what the generated code reads, its frames share one zstd history, rows that were never
 * finished leave no trace, and calls in the wrong order are refused.
 */
#include "fixture.h"

#include <xxhash.h>
#include <zstd.h>

#include "wire_limits.h"

/* Unpacks a frame without compression with the generated code. */
static Penstock__Batch *unpack(Wire *wire)
{
    Bytes bytes;
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    Penstock__Frame *frame = penstock__frame__unpack(NULL, bytes.size, bytes.data);
    assert_non_null(frame);
    assert_int_equal(frame->version, WIRE_VERSION);
    assert_int_equal(frame->codec, PENSTOCK__CODEC__CODEC_NONE);
    assert_int_equal(frame->raw_size, frame->payload.len < SMALL_BATCH_SIZE ? 0 : frame->payload.len);
    assert_true(frame->checksum == (uint32_t)XXH3_64bits(frame->payload.data, frame->payload.len));
    assert_int_equal(protobuf_c_message_get_packed_size(&frame->base), bytes.size);
    Penstock__Batch *batch = penstock__batch__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_non_null(batch);
    /* The same size once more: fields left out, packed lists and varints are as the generated code makes them. */
    assert_int_equal(penstock__batch__get_packed_size(batch), frame->payload.len);
    uint8_t *again = malloc(frame->payload.len);
    penstock__batch__pack(batch, again);
    assert_memory_equal(again, frame->payload.data, frame->payload.len);
    free(again);
    penstock__frame__free_unpacked(frame, NULL);
    return batch;
}

static void generated_code_reads_rows_to_the_same(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 70000, 4);
    for (int i = 0; i < 3; i++) {
        wire_insert(wire, 70000, 4, i == 1 ? NULL : "abc", i == 0 ? "" : "xy", NULL, "12345");
    }
    wire_commit(wire, 1000);
    Penstock__Batch *batch = unpack(wire);
    assert_int_equal(batch->n_records, 5);
    const Penstock__Rows *rows = batch->records[3]->rows;
    assert_int_equal(rows->relation, 70000);
    assert_int_equal(rows->kind, PENSTOCK__CHANGE_KIND__CHANGE_INSERT);
    assert_int_equal(rows->count, 3);
    assert_int_equal(rows->first_sequence, 1);
    assert_int_equal(rows->n_new_columns, 4);
    assert_int_equal(rows->n_old_columns, 0);
    const Penstock__Column *column = rows->new_columns[0];
    assert_int_equal(column->states.len, 3);
    assert_memory_equal(column->states.data, "\0\1\0", 3);
    assert_int_equal(column->n_lengths, 1);
    assert_int_equal(column->lengths[0], 3);
    assert_memory_equal(column->data.data, "abcabc", 6);
    column = rows->new_columns[1];
    assert_int_equal(column->states.len, 0);
    assert_int_equal(column->n_lengths, 3);
    assert_int_equal(column->lengths[0], 0);
    assert_int_equal(column->lengths[2], 2);
    column = rows->new_columns[2];
    assert_int_equal(column->states.len, 1);
    assert_int_equal(column->states.data[0], CELL_NULL);
    assert_int_equal(column->n_lengths, 0);
    assert_int_equal(column->data.len, 0);
    column = rows->new_columns[3];
    assert_int_equal(column->n_lengths, 1);
    assert_int_equal(column->data.len, 15);
    penstock__batch__free_unpacked(batch, NULL);
    wire_free(wire);
}

/* The usual transaction: a single row of each kind, which is stored as a row. */
static void generated_code_reads_a_single_row(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 4);
    wire_insert(wire, 5, 4, "abc", NULL, "", "xy");
    ok(wire, writer_row(wire->writer, 5, 1, CHANGE_UPDATE, OLD_KEY, &wire->error));
    ok(wire, writer_state(wire->writer, SIDE_NEW, CELL_UNCHANGED, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "k", 1, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    wire_commit(wire, 1000);
    Penstock__Batch *batch = unpack(wire);
    const Penstock__Rows *rows = batch->records[3]->rows;
    assert_int_equal(rows->count, 1);
    assert_int_equal(rows->n_new_columns, 0);
    assert_null(rows->old_row);
    assert_int_equal(rows->new_row->states.len, 4);
    assert_memory_equal(rows->new_row->states.data, "\0\1\0\0", 4);
    assert_int_equal(rows->new_row->n_lengths, 3);
    assert_int_equal(rows->new_row->lengths[0], 3);
    assert_int_equal(rows->new_row->lengths[1], 0);
    assert_int_equal(rows->new_row->data.len, 5);
    assert_memory_equal(rows->new_row->data.data, "abcxy", 5);
    rows = batch->records[4]->rows;
    assert_int_equal(rows->new_row->states.len, 1);
    assert_int_equal(rows->new_row->states.data[0], CELL_UNCHANGED);
    assert_memory_equal(rows->old_row->data.data, "k", 1);
    penstock__batch__free_unpacked(batch, NULL);
    wire_free(wire);
}

static void begin_and_commit_count_from_the_transaction_before(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_pass(wire);
    wire_begin(wire, 1000);
    wire_commit(wire, 1000);
    wire_pass(wire);
    BeginRecord begin = {.commit_lsn = 1050, .commit_time = 20, .xid = 570};
    ok(wire, writer_begin(wire->writer, &begin, &wire->error));
    wire_commit(wire, 1050);
    Bytes bytes;
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    Penstock__Frame *frame = penstock__frame__unpack(NULL, bytes.size, bytes.data);
    assert_int_equal(frame->version, 0);
    assert_int_equal(frame->open, 0);
    Penstock__Batch *batch = penstock__batch__unpack(NULL, frame->payload.len, frame->payload.data);
    assert_int_equal(batch->records[0]->begin->lsn_step, 10);
    assert_int_equal(batch->records[0]->begin->time_step, 25);
    assert_int_equal(batch->records[0]->begin->xid_step, -4);
    assert_int_equal(batch->records[1]->commit->size, 40);
    penstock__batch__free_unpacked(batch, NULL);
    ok(wire, frame_reader_open(wire->reader, bytes, wire->arena, &wire->records, &wire->count, &wire->error));
    assert_int_equal(wire->records[0].begin.commit_lsn, 1050);
    assert_int_equal(wire->records[0].begin.commit_time, 20);
    assert_int_equal(wire->records[0].begin.xid, 570);
    assert_int_equal(wire->records[1].commit.commit_lsn, 1050);
    assert_int_equal(wire->records[1].commit.end_lsn, 1090);
    assert_int_equal(wire->records[1].commit.commit_time, 20);
    penstock__frame__free_unpacked(frame, NULL);
    wire_free(wire);
}

static void numbers_of_every_length_are_generated_code_s(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 1 << 28);
    char *value = calloc(1, 3000000);
    wire_hello(wire);
    wire_begin(wire, 1000);
    for (unsigned bits = 0; bits < 32; bits++) {
        uint32_t relation = (uint32_t)((UINT64_C(1) << bits) - (bits % 2));
        wire_relation(wire, relation, 2);
        for (size_t i = 0; i < 3; i++) {
            ok(wire, writer_row(wire->writer, relation, 2, CHANGE_INSERT, OLD_NONE, &wire->error));
            size_t size = ((size_t)1 << bits % 22) - i % 2;
            ok(wire, writer_value(wire->writer, SIDE_NEW, value, size, &wire->error));
            ok(wire, writer_value(wire->writer, SIDE_NEW, value, 1000, &wire->error));
            ok(wire, writer_row_end(wire->writer, &wire->error));
        }
    }
    wire_commit(wire, 1000);
    penstock__batch__free_unpacked(unpack(wire), NULL);
    free(value);
    wire_free(wire);
}

static void row_not_ended_leaves_no_trace(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 2);
    for (int round = 0; round < 2; round++) {
        /* Once as the first row of a run, once behind others. */
        ok(wire, writer_row(wire->writer, 5, 2, CHANGE_INSERT, OLD_NONE, &wire->error));
        ok(wire, writer_value(wire->writer, SIDE_NEW, "dropped", 7, &wire->error));
        wire_insert(wire, 5, 2, "a", "b");
        ok(wire, writer_row(wire->writer, 5, 2, CHANGE_INSERT, OLD_NONE, &wire->error));
        ok(wire, writer_state(wire->writer, SIDE_NEW, CELL_NULL, &wire->error));
        ok(wire, writer_value(wire->writer, SIDE_NEW, "dropped", 7, &wire->error));
    }
    ok(wire, writer_row(wire->writer, 5, 2, CHANGE_UPDATE, OLD_KEY, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "dropped", 7, &wire->error));
    wire_commit(wire, 1000);
    Penstock__Batch *batch = unpack(wire);
    assert_int_equal(batch->n_records, 5);
    const Penstock__Rows *rows = batch->records[3]->rows;
    assert_int_equal(rows->count, 2);
    assert_int_equal(rows->new_columns[0]->data.len, 2);
    assert_int_equal(rows->new_columns[0]->states.len, 0);
    assert_memory_equal(rows->new_columns[1]->data.data, "bb", 2);
    assert_int_equal(batch->records[4]->commit->change_count, 2);
    penstock__batch__free_unpacked(batch, NULL);
    wire_free(wire);
}

static void second_like_transaction_is_smaller(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    size_t sizes[3];
    wire_hello(wire);
    wire_pass(wire);
    for (size_t i = 0; i < 3; i++) {
        wire_begin(wire, 1000 * (i + 1));
        wire_relation(wire, 5, 3);
        wire_insert(wire, 5, 3, "a value with some words in it", "another one, not the same", "third");
        wire_commit(wire, 1000 * (i + 1));
        wire_pass(wire);
        sizes[i] = wire->frame_bytes;
    }
    assert_true(sizes[1] < sizes[0] * 2 / 3);
    assert_true(sizes[2] < sizes[0] * 2 / 3);
    wire_free(wire);
}

static void fingerprint_is_of_the_definition_alone(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 3);
    wire_relation(wire, 6, 3);
    wire_relation(wire, 7, 4);
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_true(wire->records[2].relation->fingerprint == wire->records[3].relation->fingerprint);
    assert_true(wire->records[2].relation->fingerprint != wire->records[4].relation->fingerprint);
    wire_free(wire);
}

static void refused(Wire *wire, int status, ErrorCode code, const char *message)
{
    assert_int_equal(status, -1);
    assert_int_equal(wire->error.code, code);
    assert_string_equal(wire->error.message, message);
}

static void wrong_order_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    FrameWriter *writer = wire->writer;
    Error *error = &wire->error;
    HeartbeatRecord heartbeat = {0};
    BeginRecord begin = {.commit_lsn = 1000};
    CommitRecord commit = {.commit_lsn = 2000, .end_lsn = 2040};
    MessageRecord message = {.transactional = true};
    Bytes frame;
    refused(wire, writer_heartbeat(writer, &heartbeat, error), ERROR_STATE,
            "a heartbeat cannot be written before hello");
    refused(wire, writer_begin(writer, &begin, error), ERROR_STATE, "begin cannot be written before hello");
    refused(wire, frame_writer_take(writer, &frame, error), ERROR_STATE,
            "an empty frame cannot be written before hello");
    wire_hello(wire);
    refused(wire, writer_commit(writer, &commit, error), ERROR_STATE,
            "commit cannot be written between transactions");
    refused(wire, writer_row(writer, 5, 1, CHANGE_INSERT, OLD_NONE, error), ERROR_STATE,
            "a row cannot be written between transactions");
    refused(wire, writer_message(writer, &message, error), ERROR_STATE,
            "a transactional message cannot be written between transactions");
    wire_begin(wire, 1000);
    refused(wire, writer_begin(writer, &begin, error), ERROR_STATE,
            "begin cannot be written in a transaction");
    refused(wire, writer_commit(writer, &commit, error), ERROR_STATE,
            "commit at 0/7D0, ending before 0/7F8, ends a transaction that began as 0/3E8");
    wire_commit(wire, 1000);
    refused(wire, writer_row(writer, 5, 1, CHANGE_INSERT, OLD_NONE, error), ERROR_STATE,
            "a row cannot be written between transactions");
    wire_pass(wire);
    begin.commit_lsn = 1030;
    refused(wire, writer_begin(writer, &begin, error), ERROR_STATE,
            "a transaction committed at 0/406 follows one that ended at 0/410");
    wire_free(wire);
}

static void cells_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    FrameWriter *writer = wire->writer;
    Error *error = &wire->error;
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    refused(wire, writer_value(writer, SIDE_NEW, "", 0, error), ERROR_STATE,
            "relation 0: a cell more than the row has columns (0)");
    refused(wire, writer_row(writer, 5, 1, CHANGE_INSERT, OLD_KEY, error), ERROR_STATE,
            "relation 5: no row has kind 0, old row 1 and 1 columns");
    refused(wire, writer_row(writer, 5, 1, CHANGE_DELETE, OLD_NONE, error), ERROR_STATE,
            "relation 5: no row has kind 2, old row 0 and 1 columns");
    ok(wire, writer_row(writer, 5, 1, CHANGE_INSERT, OLD_NONE, error));
    refused(wire, writer_state(writer, SIDE_NEW, CELL_UNCHANGED, error), ERROR_STATE,
            "relation 5, column 1: cell state 2 cannot stand there");
    refused(wire, writer_row_end(writer, error), ERROR_STATE, "relation 5: the new row has 0 of 1 cells");
    ok(wire, writer_value(writer, SIDE_NEW, "a", 1, error));
    refused(wire, writer_value(writer, SIDE_NEW, "b", 1, error), ERROR_STATE,
            "relation 5: a cell more than the row has columns (1)");
    refused(wire, writer_value(writer, SIDE_OLD, "b", 1, error), ERROR_STATE,
            "relation 5: a cell more than the row has columns (0)");
    ok(wire, writer_row_end(writer, error));
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[3].rows.count, 1);
    wire_free(wire);
}

static void heartbeat_in_a_transaction_counts_nothing(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    HeartbeatRecord heartbeat = {.lsn = 1000, .time = 7};
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    wire_insert(wire, 5, 1, "a");
    ok(wire, writer_heartbeat(wire->writer, &heartbeat, &wire->error));
    wire_pass(wire);
    assert_int_equal(wire->records[4].kind, RECORD_HEARTBEAT);
    assert_int_equal(wire->records[4].heartbeat.lsn, 1000);
    wire_insert(wire, 5, 1, "b");
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[0].rows.first_sequence, 2);
    wire_free(wire);
}

/* The row before it stays, the row that is too long is gone, and a recopy takes its number. */
static void row_too_long_can_be_replaced(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    frame_writer_free(wire->writer);
    FrameWriterOptions options = {.codec = WIRE_CODEC_ZSTD, .level = 1, .frame_size = 65536, .row_limit = 8};
    ok(wire, frame_writer_new(&options, &wire->writer, &wire->error));
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 2);
    wire_insert(wire, 5, 2, "a", "b");
    ok(wire, writer_row(wire->writer, 5, 2, CHANGE_INSERT, OLD_NONE, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_NEW, "abcd", 4, &wire->error));
    refused(wire, writer_value(wire->writer, SIDE_NEW, "efgh", 4, &wire->error), ERROR_LIMIT,
            "a row of more than 8 bytes");
    RecopyRecord recopy = {.relation = 5, .lsn = 990, .reason = text("long")};
    ok(wire, writer_recopy(wire->writer, &recopy, &wire->error));
    wire_insert(wire, 5, 2, "c", "d");
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[3].rows.count, 1);
    assert_int_equal(wire->records[4].recopy.sequence, 2);
    assert_int_equal(wire->records[4].recopy.lsn, 990);
    assert_bytes(wire->records[4].recopy.reason, "long");
    assert_int_equal(wire->records[5].rows.first_sequence, 3);
    wire_free(wire);
}

static void options_are_checked(void **state)
{
    (void)state;
    FrameWriter *writer;
    Error error;
    FrameWriterOptions level = {.codec = WIRE_CODEC_ZSTD, .level = 20, .frame_size = 1};
    assert_int_equal(frame_writer_new(&level, &writer, &error), -1);
    assert_string_equal(error.message, "zstd level 20 is not within 1 to 19");
    FrameWriterOptions codec = {.codec = (WireCodec)7, .level = 1, .frame_size = 1};
    assert_int_equal(frame_writer_new(&codec, &writer, &error), -1);
    assert_string_equal(error.message, "codec 7 is not known");
    frame_writer_free(NULL);
}

/* Level 19 looks back furthest: its window must be within what a reader allows. */
static void highest_level_is_readable(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    frame_writer_free(wire->writer);
    FrameWriterOptions options = {.codec = WIRE_CODEC_ZSTD, .level = 19, .frame_size = 65536};
    ok(wire, frame_writer_new(&options, &wire->writer, &wire->error));
    wire_hello(wire);
    wire_pass(wire);
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_code_reads_rows_to_the_same),
        cmocka_unit_test(generated_code_reads_a_single_row),
        cmocka_unit_test(begin_and_commit_count_from_the_transaction_before),
        cmocka_unit_test(numbers_of_every_length_are_generated_code_s),
        cmocka_unit_test(row_not_ended_leaves_no_trace),
        cmocka_unit_test(second_like_transaction_is_smaller),
        cmocka_unit_test(fingerprint_is_of_the_definition_alone),
        cmocka_unit_test(wrong_order_is_refused),
        cmocka_unit_test(cells_that_do_not_fit_are_refused),
        cmocka_unit_test(heartbeat_in_a_transaction_counts_nothing),
        cmocka_unit_test(row_too_long_can_be_replaced),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(highest_level_is_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
