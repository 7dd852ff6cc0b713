/*
 * A reader over several frames: what must hold from one to the next, and what a payload may do to zstd.
 */
#include "fixture.h"

#include <xxhash.h>
#include <zstd.h>

/* Takes a frame as its generated struct, to be spoiled and handed in with hand_in. */
static Penstock__Frame *take(Wire *wire)
{
    Bytes bytes;
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    return penstock__frame__unpack(NULL, bytes.size, bytes.data);
}

static int pass_on(Wire *wire, Penstock__Frame *frame)
{
    size_t size = penstock__frame__get_packed_size(frame);
    uint8_t *bytes = malloc(size);
    penstock__frame__pack(frame, bytes);
    int status = frame_reader_open(wire->reader, bytes_of(bytes, size), wire->arena, &wire->records,
                                   &wire->count, &wire->error);
    wire->passed++;
    free(bytes);
    penstock__frame__free_unpacked(frame, NULL);
    return status;
}

/* With the checksum that suits the payload. */
static int hand_in(Wire *wire, Penstock__Frame *frame)
{
    frame->checksum = (uint32_t)XXH3_64bits_withSeed(frame->payload.data, frame->payload.len, wire->passed);
    return pass_on(wire, frame);
}

static void assert_refused(Wire *wire, int status, const char *message)
{
    assert_int_equal(status, -1);
    assert_int_equal(wire->error.code, ERROR_PROTOCOL);
    assert_string_equal(wire->error.message, message);
    wire_free(wire);
}

/* A wire that has passed hello, and has a transaction with one row to take. */
static Wire *wire_with_transaction(WireCodec codec)
{
    Wire *wire = wire_new(codec, 65536);
    wire_hello(wire);
    wire_pass(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1);
    char value[2001];
    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = "some text that compresses a bit, "[i * i % 33];
    }
    value[sizeof value - 1] = '\0';
    wire_insert(wire, 5, 1, value);
    return wire;
}

static void lost_frame_is_noticed(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_NONE);
    wire_pass(wire);
    wire_insert(wire, 5, 1, "lost");
    penstock__frame__free_unpacked(take(wire), NULL);
    wire_insert(wire, 5, 1, "next");
    assert_refused(wire, hand_in(wire, take(wire)),
                   "frame 3, transaction 0/3E8: byte 0: change 3 follows change 1");
}

static void frame_spoiled_behind_its_checksum_is_noticed_at_commit(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_NONE);
    Penstock__Frame *frame = take(wire);
    frame->payload.data[frame->payload.len - 1] ^= 1; /* the last byte of the value */
    assert_int_equal(hand_in(wire, frame), 0);
    wire_commit(wire, 1000);
    assert_int_equal(hand_in(wire, take(wire)), -1);
    assert_non_null(strstr(wire->error.message, "the transaction has checksum"));
    wire_free(wire);
}

/* Two more transactions, each a frame that is sound in itself: positions are steps from the transaction before. */
static void take_two(Wire *wire, Penstock__Frame *frames[2])
{
    wire_commit(wire, 1000);
    wire_pass(wire);
    for (int i = 0; i < 2; i++) {
        wire_begin(wire, 2000 + 1000 * (Lsn)i);
        wire_insert(wire, 5, 1, "same");
        wire_commit(wire, 2000 + 1000 * (Lsn)i);
        frames[i] = take(wire);
    }
}

static void lost_transaction_is_noticed(void **state)
{
    (void)state;
    Penstock__Frame *frames[2];
    Wire *wire = wire_with_transaction(WIRE_CODEC_NONE);
    take_two(wire, frames);
    penstock__frame__free_unpacked(frames[0], NULL);
    assert_int_equal(pass_on(wire, frames[1]), -1);
    assert_non_null(strstr(wire->error.message, "frame 3: the payload of"));
    wire_free(wire);
}

static void doubled_transaction_is_noticed(void **state)
{
    (void)state;
    Penstock__Frame *frames[2];
    Wire *wire = wire_with_transaction(WIRE_CODEC_NONE);
    take_two(wire, frames);
    frames[1]->checksum = frames[0]->checksum;
    memcpy(frames[1]->payload.data, frames[0]->payload.data, frames[0]->payload.len);
    assert_int_equal(frames[1]->payload.len, frames[0]->payload.len);
    assert_int_equal(pass_on(wire, frames[0]), 0);
    assert_int_equal(pass_on(wire, frames[1]), -1);
    assert_non_null(strstr(wire->error.message, "frame 4: the payload of"));
    wire_free(wire);
}

static void position_beyond_all_positions_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_NONE);
    wire_commit(wire, 1000);
    wire_pass(wire);
    wire_begin(wire, UINT64_MAX - 100);
    Penstock__Frame *frame = take(wire);
    memset(frame->payload.data + 5, 0xff, 9); /* of the ten bytes of lsn_step */
    assert_refused(
        wire, hand_in(wire, frame),
        "frame 3: byte 0: a transaction cannot be 18446744073709551615 bytes behind one that ended at 0/410");
}

static void stream_does_not_start_again(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_ZSTD);
    Penstock__Frame *frame = take(wire);
    frame->version = WIRE_VERSION;
    assert_refused(wire, hand_in(wire, frame), "frame 2: the stream starts again in mid-connection");
}

static void payload_that_inflates_to_more_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_ZSTD);
    Penstock__Frame *frame = take(wire);
    frame->raw_size -= 3;
    assert_int_equal(hand_in(wire, frame), -1);
    assert_non_null(strstr(wire->error.message, " or more bytes, not "));
    wire_free(wire);
}

static void payload_that_inflates_to_less_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_ZSTD);
    Penstock__Frame *frame = take(wire);
    frame->raw_size += 3;
    assert_int_equal(hand_in(wire, frame), -1);
    assert_non_null(strstr(wire->error.message, "of the payload inflate to"));
    wire_free(wire);
}

/* Without a size it has to be a small one. */
static void large_payload_without_a_size_is_refused(void **state)
{
    (void)state;
    for (WireCodec codec = WIRE_CODEC_NONE; codec <= WIRE_CODEC_ZSTD; codec++) {
        Wire *wire = wire_with_transaction(codec);
        Penstock__Frame *frame = take(wire);
        frame->raw_size = 0;
        assert_int_equal(hand_in(wire, frame), -1);
        assert_non_null(strstr(wire->error.message, codec == WIRE_CODEC_NONE
                                                        ? "bytes, not 0"
                                                        : "inflate to 1024 or more bytes, not up to 1023"));
        wire_free(wire);
    }
}

static void payload_cut_short_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_ZSTD);
    Penstock__Frame *frame = take(wire);
    frame->payload.len -= 4;
    assert_int_equal(hand_in(wire, frame), -1);
    assert_non_null(strstr(wire->error.message, "of the payload inflate to"));
    wire_free(wire);
}

static void frames_in_a_row_are_told_apart(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    Bytes frame;
    size_t size;
    wire_hello(wire);
    ok(wire, frame_writer_take(wire->writer, &frame, &wire->error));
    uint8_t *both = malloc(frame.size * 2);
    memcpy(both, frame.data, frame.size);
    memcpy(both + frame.size, frame.data, frame.size);
    assert_true(frame_measure(bytes_of(both, frame.size * 2), &size));
    assert_int_equal(size, frame.size);
    for (size_t cut = 0; cut < frame.size; cut++) {
        assert_false(frame_measure(bytes_of(both, cut), &size));
        assert_int_equal(size, cut);
    }
    free(both);
    wire_free(wire);
}

/* Puts a payload of its own stream, made with one parameter, into the first frame. */
static int hand_in_compressed(Wire *wire, ZSTD_cParameter parameter, int value, ZSTD_EndDirective end)
{
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, parameter, value);
    wire_hello(wire);
    Bytes bytes;
    FrameWriter *plain = wire->writer;
    ok(wire, frame_writer_take(plain, &bytes, &wire->error));
    Penstock__Frame *frame = penstock__frame__unpack(NULL, bytes.size, bytes.data);
    uint8_t packed[1000];
    ZSTD_inBuffer in = {.src = frame->payload.data, .size = frame->payload.len};
    ZSTD_outBuffer out = {.dst = packed, .size = sizeof packed};
    assert_int_equal(ZSTD_compressStream2(zstd, &out, &in, end), 0);
    frame->codec = PENSTOCK__CODEC__CODEC_ZSTD;
    free(frame->payload.data);
    frame->payload.data = malloc(out.pos);
    memcpy(frame->payload.data, packed, out.pos);
    frame->payload.len = out.pos;
    ZSTD_freeCCtx(zstd);
    return hand_in(wire, frame);
}

static void window_that_wants_much_memory_is_refused(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    assert_int_equal(hand_in_compressed(wire, ZSTD_c_windowLog, 23, ZSTD_e_flush), 0);
    wire_free(wire);
    wire = wire_new(WIRE_CODEC_NONE, 65536);
    assert_int_equal(hand_in_compressed(wire, ZSTD_c_windowLog, 24, ZSTD_e_flush), -1);
    assert_non_null(strstr(wire->error.message, "too much memory"));
    wire_free(wire);
}

static void stream_does_not_end(void **state)
{
    (void)state;
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    assert_int_equal(hand_in_compressed(wire, ZSTD_c_windowLog, 20, ZSTD_e_end), -1);
    assert_non_null(strstr(wire->error.message, "frame 1: the zstd stream ends at byte "));
    wire_free(wire);
}

static void relation_may_be_described_anew(void **state)
{
    (void)state;
    Wire *wire = wire_with_transaction(WIRE_CODEC_ZSTD);
    wire_relation(wire, 5, 3);
    wire_insert(wire, 5, 3, "a", NULL, "c");
    wire_commit(wire, 1000);
    wire_pass(wire);
    assert_int_equal(wire->records[wire->count - 2].rows.column_count, 3);
    wire_begin(wire, 2000);
    wire_insert(wire, 5, 3, "a", NULL, "c"); /* known from the transaction before */
    wire_commit(wire, 2000);
    wire_pass(wire);
    wire_free(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_frame_is_noticed),
        cmocka_unit_test(frame_spoiled_behind_its_checksum_is_noticed_at_commit),
        cmocka_unit_test(lost_transaction_is_noticed),
        cmocka_unit_test(doubled_transaction_is_noticed),
        cmocka_unit_test(position_beyond_all_positions_is_refused),
        cmocka_unit_test(stream_does_not_start_again),
        cmocka_unit_test(payload_that_inflates_to_more_is_refused),
        cmocka_unit_test(payload_that_inflates_to_less_is_refused),
        cmocka_unit_test(large_payload_without_a_size_is_refused),
        cmocka_unit_test(payload_cut_short_is_refused),
        cmocka_unit_test(window_that_wants_much_memory_is_refused),
        cmocka_unit_test(stream_does_not_end),
        cmocka_unit_test(frames_in_a_row_are_told_apart),
        cmocka_unit_test(relation_may_be_described_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
