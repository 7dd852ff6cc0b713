/*
 * Frames made by the project's own writer, through the decoder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "decoder.h"
#include "writer.h"

typedef struct Fixture {
    FrameWriter *writer;
    Decoder *decoder;
    atomic_size_t account;
    Error error;
    Registry *registry;
} Fixture;

static Bytes text(const char *value)
{
    return bytes_of(value, strlen(value));
}

static void open_stream(Fixture *fixture)
{
    FrameWriterOptions writer = {.codec = WIRE_CODEC_ZSTD, .level = 1, .frame_size = 65536};
    DecoderOptions decoder = {.registry = fixture->registry,
                              .encoding = "UTF8",
                              .max_raw_size = 1 << 20,
                              .account = &fixture->account};
    assert_int_equal(frame_writer_new(&writer, &fixture->writer, &fixture->error), 0);
    assert_int_equal(decoder_new(&decoder, &fixture->decoder, &fixture->error), 0);
}

static int set_up(void **state)
{
    Fixture *fixture = calloc(1, sizeof *fixture);
    fixture->registry = registry_new();
    open_stream(fixture);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    Fixture *fixture = *state;
    frame_writer_free(fixture->writer);
    decoder_free(fixture->decoder);
    registry_free(fixture->registry);
    assert_int_equal(fixture->account, 0); /* every frame was freed */
    free(fixture);
    return 0;
}

static void write_hello(Fixture *fixture, const char *encoding)
{
    HelloRecord hello = {.plugin_version = text("test"),
                         .wire_version = WIRE_VERSION,
                         .server_version = 110022,
                         .encoding = text(encoding)};
    assert_int_equal(writer_hello(fixture->writer, &hello, &fixture->error), 0);
}

static void write_relation(Fixture *fixture, uint32_t id, const char *name, const char *column)
{
    RelationColumnRecord columns[1] = {{.number = 1,
                                        .name = text(column),
                                        .type = 23,
                                        .base_type = 23,
                                        .type_schema = text("pg_catalog"),
                                        .type_name = text("int4"),
                                        .typmod = -1,
                                        .key = true,
                                        .format = FORMAT_TEXT}};
    RelationRecord relation = {.id = id,
                               .schema = text("public"),
                               .name = text(name),
                               .identity = IDENTITY_DEFAULT,
                               .column_count = 1,
                               .columns = columns};
    assert_int_equal(writer_relation(fixture->writer, &relation, &fixture->error), 0);
}

static void write_insert(Fixture *fixture, uint32_t id)
{
    Error *error = &fixture->error;
    assert_int_equal(writer_row(fixture->writer, id, 1, CHANGE_INSERT, OLD_NONE, error), 0);
    assert_int_equal(writer_value(fixture->writer, SIDE_NEW, "7", 1, error), 0);
    assert_int_equal(writer_row_end(fixture->writer, error), 0);
}

static void begin(Fixture *fixture, Lsn lsn)
{
    BeginRecord record = {.commit_lsn = lsn, .xid = 1};
    assert_int_equal(writer_begin(fixture->writer, &record, &fixture->error), 0);
}

static void commit(Fixture *fixture, Lsn lsn)
{
    CommitRecord record = {.commit_lsn = lsn, .end_lsn = lsn + 8};
    assert_int_equal(writer_commit(fixture->writer, &record, &fixture->error), 0);
}

static int decode(Fixture *fixture, DecodedFrame **out)
{
    Bytes payload;
    assert_int_equal(frame_writer_take(fixture->writer, &payload, &fixture->error), 0);
    return decoder_decode(fixture->decoder, payload, out, &fixture->error);
}

static DecodedFrame *decoded(Fixture *fixture)
{
    DecodedFrame *frame;
    if (decode(fixture, &frame) != 0) {
        fail_msg("%s", fixture->error.message);
    }
    return frame;
}

static const SourceRelation *source_of_rows(const DecodedFrame *frame)
{
    for (size_t i = 0; i < frame->count; i++) {
        if (frame->records[i].kind == RECORD_ROWS) {
            return frame->sources[i];
        }
    }
    fail_msg("no rows in the frame");
    return NULL;
}

static DecodedFrame *transaction(Fixture *fixture, Lsn lsn, const char *name, const char *column)
{
    begin(fixture, lsn);
    write_relation(fixture, 1, name, column);
    write_insert(fixture, 1);
    commit(fixture, lsn);
    return decoded(fixture);
}

static void hello(Fixture *fixture)
{
    write_hello(fixture, "UTF8");
    frame_release(decoded(fixture));
}

static void rows_know_their_relation(void **state)
{
    Fixture *fixture = *state;
    hello(fixture);
    DecodedFrame *frame = transaction(fixture, 100, "t", "id");
    const SourceRelation *relation = source_of_rows(frame);
    assert_string_equal(relation->schema, "public");
    assert_string_equal(relation->name, "t");
    assert_string_equal(relation->columns[0].name, "id");
    assert_int_equal(relation->key_count, 1);
    assert_int_equal(relation->keys[0], 0);
    assert_true(frame->footprint > 0);
    frame_release(frame);
}

static void plugin_says_what_it_cannot_do(void **state)
{
    Fixture *fixture = *state;
    decoder_free(fixture->decoder);
    char notes[PLUGIN_NOTES_SIZE] = "of the connection before";
    DecoderOptions options = {.registry = fixture->registry,
                              .encoding = "UTF8",
                              .max_raw_size = 1 << 20,
                              .account = &fixture->account,
                              .notes = notes};
    assert_int_equal(decoder_new(&options, &fixture->decoder, &fixture->error), 0);
    const Bytes said[] = {text("read_ahead=0"), text("read_ahead_off=the server is \"newer\"\n"),
                          text("level=1"), text("collect_memory_off=\\")};
    HelloRecord hello = {.wire_version = WIRE_VERSION,
                         .server_version = 110022,
                         .encoding = text("UTF8"),
                         .option_count = 4,
                         .options = said};
    assert_int_equal(writer_hello(fixture->writer, &hello, &fixture->error), 0);
    frame_release(decoded(fixture));
    assert_string_equal(notes, "read_ahead is off: the server is ?newer??; collect_memory is off: ?");
}

static void same_definition_is_the_same_object(void **state)
{
    Fixture *fixture = *state;
    hello(fixture);
    DecodedFrame *first = transaction(fixture, 100, "t", "id"),
                 *second = transaction(fixture, 200, "t", "id");
    assert_ptr_equal(source_of_rows(first), source_of_rows(second));
    frame_release(first);
    frame_release(second);
}

static void changed_definition_is_a_new_object_and_the_old_one_stays(void **state)
{
    Fixture *fixture = *state;
    hello(fixture);
    DecodedFrame *first = transaction(fixture, 100, "t", "id"),
                 *second = transaction(fixture, 200, "t", "key");
    assert_ptr_not_equal(source_of_rows(first), source_of_rows(second));
    assert_string_equal(source_of_rows(first)->columns[0].name, "id");
    assert_string_equal(source_of_rows(second)->columns[0].name, "key");
    frame_release(first);
    frame_release(second);
}

/* As after a reconnect: what was known of a relation still holds for its object, but its number has to be given again. */
static void definitions_outlast_a_connection(void **state)
{
    Fixture *fixture = *state;
    hello(fixture);
    DecodedFrame *first = transaction(fixture, 100, "t", "id");
    const SourceRelation *before = source_of_rows(first);
    frame_release(first);
    decoder_free(fixture->decoder);
    frame_writer_free(fixture->writer);
    open_stream(fixture);
    hello(fixture);
    DecodedFrame *second = transaction(fixture, 200, "t", "id");
    assert_ptr_equal(source_of_rows(second), before);
    frame_release(second);
    decoder_free(fixture->decoder);
    frame_writer_free(fixture->writer);
    open_stream(fixture);
    hello(fixture);
    assert_null(registry_find(fixture->registry, 1));
}

static void frame_lives_as_long_as_someone_holds_it(void **state)
{
    Fixture *fixture = *state;
    hello(fixture);
    DecodedFrame *frame = transaction(fixture, 100, "t", "id");
    frame_acquire(frame);
    frame_release(frame);
    assert_true(fixture->account > 0);
    assert_string_equal(source_of_rows(frame)->name, "t");
    frame_release(frame);
    assert_int_equal(fixture->account, 0);
}

#define WIDE 20

static void write_wide_relation(Fixture *fixture, uint32_t id)
{
    static const char *const names[] = {"one", "other"};
    RelationColumnRecord columns[WIDE];
    char column[WIDE][8];
    for (uint32_t i = 0; i < WIDE; i++) {
        snprintf(column[i], sizeof column[i], "c%u", i);
        columns[i] = (RelationColumnRecord){.number = i + 1,
                                            .name = text(column[i]),
                                            .type = 20,
                                            .base_type = 20,
                                            .type_schema = text("pg_catalog"),
                                            .type_name = text("int8"),
                                            .typmod = -1,
                                            .key = i == 0};
    }
    RelationRecord relation = {.id = id,
                               .schema = text("public"),
                               .name = text(names[id - 1]),
                               .identity = IDENTITY_DEFAULT,
                               .column_count = WIDE,
                               .columns = columns};
    assert_int_equal(writer_relation(fixture->writer, &relation, &fixture->error), 0);
}

/* Of transactions that change a row here and a row there. What is held of such rows is what a batch can gather. */
static void a_row_that_comes_alone_takes_little_more_than_its_bytes(void **state)
{
    enum { ROWS = 1000 };
    Fixture *fixture = *state;
    Error *error = &fixture->error;
    hello(fixture);
    begin(fixture, 100);
    write_wide_relation(fixture, 1);
    write_wide_relation(fixture, 2);
    frame_release(decoded(fixture));
    for (uint32_t i = 0; i < ROWS; i++) {
        assert_int_equal(writer_row(fixture->writer, 1 + i % 2, WIDE, CHANGE_INSERT, OLD_NONE, error), 0);
        for (uint32_t column = 0; column < WIDE; column++) {
            assert_int_equal(writer_value(fixture->writer, SIDE_NEW, "12345678", 8, error), 0);
        }
        assert_int_equal(writer_row_end(fixture->writer, error), 0);
    }
    DecodedFrame *frame = decoded(fixture);
    assert_int_equal(frame->count, ROWS);
    size_t bytes = ROWS * WIDE * 8;
    assert_in_range(frame->footprint - bytes, 1,
                    ROWS * (WIDE * 6 + 160)); /* a record, states, lengths, offsets */
    frame_release(frame);
    commit(fixture, 100);
    frame_release(decoded(fixture));
}

static void other_encoding_is_refused(void **state)
{
    Fixture *fixture = *state;
    DecodedFrame *frame;
    write_hello(fixture, "LATIN1");
    assert_int_equal(decode(fixture, &frame), -1);
    assert_int_equal(fixture->error.code, ERROR_STATE);
    assert_non_null(strstr(fixture->error.message, "LATIN1"));
}

static void damaged_frame_is_refused(void **state)
{
    Fixture *fixture = *state;
    DecodedFrame *frame;
    assert_int_equal(decoder_decode(fixture->decoder, text("no frame at all"), &frame, &fixture->error), -1);
    assert_int_equal(fixture->error.code, ERROR_PROTOCOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_know_their_relation),
        TEST(plugin_says_what_it_cannot_do),
        TEST(same_definition_is_the_same_object),
        TEST(changed_definition_is_a_new_object_and_the_old_one_stays),
        TEST(definitions_outlast_a_connection),
        TEST(frame_lives_as_long_as_someone_holds_it),
        TEST(a_row_that_comes_alone_takes_little_more_than_its_bytes),
        TEST(other_encoding_is_refused),
        TEST(damaged_frame_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
