/*
 * Everything that a reader must refuse, with the words it uses. Each case takes one sound transaction, as the generated
 * code packs it, and spoils one thing.
 */
#include "fixture.h"

#include <stdio.h>
#include <xxhash.h>

#include "wire_limits.h"

/* A whole connection in one frame: hello, begin, relation, rows, commit. */
typedef struct Forged {
    Penstock__Hello hello;
    Penstock__Begin begin;
    Penstock__RelationColumn relation_columns[2];
    Penstock__RelationColumn *relation_column_list[2];
    Penstock__Relation relation;
    Penstock__Column new_columns[2];
    Penstock__Column *new_list[2];
    Penstock__Column old_columns[2];
    Penstock__Column *old_list[2];
    Penstock__Column new_row;
    Penstock__Column old_row;
    Penstock__Rows rows;
    Penstock__Truncate truncate;
    Penstock__Message message;
    Penstock__Heartbeat heartbeat;
    Penstock__Commit commit;
    Penstock__Recopy recopy;
    Penstock__Record records[8];
    size_t count;
    Penstock__Frame frame;
    uint32_t truncated[1];
    bool wrong_checksum; /* of the transaction */
    Bytes batch;         /* instead of the records */
    Bytes bytes;         /* instead of the frame */
    size_t max_raw_size;
} Forged;

static ProtobufCBinaryData data(const char *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)bytes};
}
#define DATA(literal) data(literal, sizeof(literal) - 1)

static void forge_relation(Forged *f)
{
    for (int i = 0; i < 2; i++) {
        penstock__relation_column__init(&f->relation_columns[i]);
        f->relation_columns[i].name = DATA("c");
        f->relation_column_list[i] = &f->relation_columns[i];
    }
    penstock__relation__init(&f->relation);
    f->relation.id = 5;
    f->relation.schema = DATA("s");
    f->relation.name = DATA("t");
    f->relation.columns = f->relation_column_list;
    f->relation.n_columns = 2;
    f->relation.fingerprint = 1;
}

static uint32_t two_lengths[] = {1, 2};

static void forge_rows(Forged *f)
{
    for (int i = 0; i < 2; i++) {
        penstock__column__init(&f->new_columns[i]);
        penstock__column__init(&f->old_columns[i]);
        f->new_list[i] = &f->new_columns[i];
        f->old_list[i] = &f->old_columns[i];
    }
    f->new_columns[0].lengths = two_lengths;
    f->new_columns[0].n_lengths = 2;
    f->new_columns[0].data = DATA("abb");
    f->new_columns[1].states = DATA("\1");
    penstock__rows__init(&f->rows);
    f->rows.relation = 5;
    f->rows.count = 2;
    f->rows.first_sequence = 1;
    f->rows.new_columns = f->new_list;
    f->rows.n_new_columns = 2;
    f->rows.old_columns = f->old_list;
    f->rows.n_old_columns = 0;
}

static void forge_records(Forged *f)
{
    static const Penstock__Record__KindCase kinds[] = {
        PENSTOCK__RECORD__KIND_HELLO, PENSTOCK__RECORD__KIND_BEGIN,  PENSTOCK__RECORD__KIND_RELATION,
        PENSTOCK__RECORD__KIND_ROWS,  PENSTOCK__RECORD__KIND_COMMIT,
    };
    void *bodies[] = {&f->hello, &f->begin, &f->relation, &f->rows, &f->commit};
    f->count = 5;
    for (size_t i = 0; i < 8; i++) {
        penstock__record__init(&f->records[i]);
        f->records[i].kind_case = i < 5 ? kinds[i] : PENSTOCK__RECORD__KIND__NOT_SET;
        f->records[i].hello = i < 5 ? bodies[i] : NULL;
    }
}

static void forge(Forged *f)
{
    memset(f, 0, sizeof *f);
    penstock__hello__init(&f->hello);
    f->hello.wire_version = WIRE_VERSION;
    penstock__begin__init(&f->begin);
    f->begin.lsn_step = 1000;
    forge_relation(f);
    forge_rows(f);
    penstock__recopy__init(&f->recopy);
    f->recopy.relation = 5;
    f->recopy.sequence = 3;
    penstock__truncate__init(&f->truncate);
    f->truncated[0] = 5;
    f->truncate.relations = f->truncated;
    f->truncate.n_relations = 1;
    f->truncate.sequence = 3;
    penstock__message__init(&f->message);
    penstock__heartbeat__init(&f->heartbeat);
    penstock__commit__init(&f->commit);
    f->commit.size = 40;
    f->commit.change_count = 2;
    forge_records(f);
    penstock__frame__init(&f->frame);
    f->frame.version = WIRE_VERSION;
    f->max_raw_size = 100000;
}

/* Puts a record before the last one. */
static void insert_record(Forged *f, size_t at, Penstock__Record__KindCase kind, void *body)
{
    memmove(&f->records[at + 1], &f->records[at], (f->count - at) * sizeof f->records[0]);
    penstock__record__init(&f->records[at]);
    f->records[at].kind_case = kind;
    f->records[at].hello = body;
    f->count++;
}

static void remove_record(Forged *f, size_t at)
{
    memmove(&f->records[at], &f->records[at + 1], (f->count - at - 1) * sizeof f->records[0]);
    f->count--;
}

static Bytes pack_records(Forged *f, size_t first, size_t end, uint8_t *out)
{
    Penstock__Record *list[8];
    for (size_t i = first; i < end; i++) {
        list[i - first] = &f->records[i];
    }
    Penstock__Batch batch = PENSTOCK__BATCH__INIT;
    batch.records = list;
    batch.n_records = end - first;
    return bytes_of(out, penstock__batch__pack(&batch, out));
}

static Bytes pack_batch(Forged *f, uint8_t *out)
{
    size_t begin = 0;
    for (size_t i = 0; i < f->count; i++) {
        begin = f->records[i].kind_case == PENSTOCK__RECORD__KIND_BEGIN ? i : begin;
        if (f->records[i].kind_case == PENSTOCK__RECORD__KIND_COMMIT) {
            Bytes before = pack_records(f, begin, i, out);
            f->commit.checksum = (uint32_t)XXH3_64bits(before.data, before.size) + f->wrong_checksum;
        }
    }
    return pack_records(f, 0, f->count, out);
}

static Bytes pack_frame(Forged *f, void (*spoil)(Penstock__Frame *frame), uint8_t *out)
{
    static uint8_t raw[200000];
    Bytes batch = f->batch.data != NULL ? f->batch : pack_batch(f, raw);
    f->frame.raw_size = batch.size < SMALL_BATCH_SIZE ? 0 : (uint32_t)batch.size;
    f->frame.payload = data((const char *)batch.data, batch.size);
    f->frame.checksum = (uint32_t)XXH3_64bits(batch.data, batch.size);
    if (spoil != NULL) {
        spoil(&f->frame);
    }
    return bytes_of(out, penstock__frame__pack(&f->frame, out));
}

typedef struct Case {
    const char *name;
    void (*records)(Forged *f);
    void (*frame)(Penstock__Frame *frame);
    ErrorCode code;
    const char *message;
} Case;

static void run(const Case *test)
{
    static uint8_t out[300000];
    Forged f;
    forge(&f);
    if (test->records != NULL) {
        test->records(&f);
    }
    Bytes frame = f.bytes.data != NULL ? f.bytes : pack_frame(&f, test->frame, out);
    FrameReader *reader;
    Record *records;
    size_t count;
    Error error = {0};
    FrameReaderOptions options = {.max_raw_size = f.max_raw_size};
    assert_int_equal(frame_reader_new(&options, &reader, &error), 0);
    Arena *arena = arena_new(1);
    int status = frame_reader_open(reader, frame, arena, &records, &count, &error);
    if (test->message == NULL) {
        if (status != 0) {
            fail_msg("%s: %s", test->name, error.message);
        }
    } else {
        if (status == 0 || strcmp(error.message, test->message) != 0 || error.code != test->code) {
            fail_msg("%s: wanted \"%s\" (%d), got \"%s\" (%d)", test->name, test->message, (int)test->code,
                     error.message, (int)error.code);
        }
        assert_null(records);
        assert_int_equal(count, 0);
        assert_int_equal(frame_reader_open(reader, frame, arena, &records, &count, &error), -1);
        assert_string_equal(error.message, "no frame can be read after frame 1, which was refused");
    }
    arena_free(arena);
    frame_reader_free(reader);
}

#define RECORDS(name, ...)                                                                                   \
    static void name(Forged *f)                                                                              \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }
#define FRAME(name, ...)                                                                                     \
    static void name(Penstock__Frame *frame)                                                                 \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

/* Frames */
FRAME(newer_version, frame->version = 3;)
FRAME(no_version, frame->version = 0;)
FRAME(unknown_codec, frame->codec = 2;)
FRAME(wrong_checksum, frame->checksum = 7;)
FRAME(raw_size_wrong, frame->raw_size = 2000;)
FRAME(raw_size_not_left_out, frame->raw_size = 83;)
FRAME(raw_size_beyond_limit, frame->raw_size = 100001;)
FRAME(not_zstd, frame->codec = PENSTOCK__CODEC__CODEC_ZSTD;)
RECORDS(not_a_frame, f->bytes = text("Z\xff\xff");)
RECORDS(nothing, f->bytes = text("");)
RECORDS(frame_field_unknown, f->bytes = text("\x08\x02\x38\x01");)
RECORDS(frame_field_twice, f->bytes = text("\x08\x02\x08\x02");)
RECORDS(frame_cut, f->bytes = text("\x08\x02\x32\x05"
                                   "ab");)
RECORDS(frame_wire_type, f->bytes = text("\x08\x02\x34\x01\x01\x01\x01");)
RECORDS(frame_field_type, f->bytes = text("\x08\x02\x30\x01");)

/* Batches and records as bytes */
RECORDS(empty_batch, f->batch = text("");)
RECORDS(batch_field_unknown, f->batch = text("\x12\x00");)
RECORDS(batch_cut, f->batch = text("\x0a\x05\x0a");)
RECORDS(record_empty, f->batch = text("\x0a\x00");)
RECORDS(record_unknown, f->batch = text("\x0a\x02\x52\x00");)
RECORDS(record_double, f->batch = text("\x0a\x04\x3a\x00\x3a\x00");)
RECORDS(varint_endless, f->batch = text("\x0a\x0d\x3a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f");)
RECORDS(number_too_large, f->batch = text("\x0a\x08\x0a\x06\x10\xff\xff\xff\xff\x7f");)
RECORDS(field_zero, f->batch = text("\x0a\x02\x02\x00");)

/* Order */
RECORDS(no_hello, remove_record(f, 0);)
RECORDS(hello_twice, insert_record(f, 1, PENSTOCK__RECORD__KIND_HELLO, &f->hello);)
RECORDS(hello_version, f->hello.wire_version = 3;)
RECORDS(no_begin, remove_record(f, 1);)
RECORDS(begin_twice, insert_record(f, 2, PENSTOCK__RECORD__KIND_BEGIN, &f->begin);)
RECORDS(begin_without_lsn, f->begin.lsn_step = 0;)
RECORDS(after_commit, insert_record(f, 5, PENSTOCK__RECORD__KIND_ROWS, &f->rows);)
RECORDS(no_commit, remove_record(f, 4);)
FRAME(commit_left_open, frame->open = true;)
RECORDS(message_between, f->message.transactional = 1;
        insert_record(f, 1, PENSTOCK__RECORD__KIND_MESSAGE, &f->message);)
RECORDS(message_numbered, f->message.sequence = 1;
        insert_record(f, 2, PENSTOCK__RECORD__KIND_MESSAGE, &f->message);)
RECORDS(message_sequence, f->message.transactional = 1; f->message.sequence = 4;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_MESSAGE, &f->message);)

/* Relations */
RECORDS(relation_unnamed, f->relation.name.len = 0;)
RECORDS(relation_column_unnamed, f->relation_columns[1].name.len = 0;)
RECORDS(relation_fingerprint, f->relation.fingerprint = 0;)
RECORDS(relation_identity, f->relation.replica_identity = (Penstock__ReplicaIdentity)4;)
RECORDS(relation_gap, f->relation_columns[1].gap = 1599;)
RECORDS(relation_format, f->relation_columns[0].format = (Penstock__ValueFormat)2;)
RECORDS(
    relation_too_wide, static Penstock__RelationColumn *many[1601];
    for (int i = 0; i < 1601; i++) { many[i] = &f->relation_columns[0]; } f->relation.columns = many;
    f->relation.n_columns = 1601;)

/* Rows */
RECORDS(rows_unknown_relation, f->rows.relation = 6;)
RECORDS(rows_narrow, f->rows.n_new_columns = 1;)
RECORDS(rows_sequence, f->rows.first_sequence = 2;)
RECORDS(rows_none, f->rows.count = 0;)
RECORDS(rows_too_many, f->rows.count = 65537;)
RECORDS(rows_kind, f->rows.kind = (Penstock__ChangeKind)3;)
RECORDS(rows_old, f->rows.old = (Penstock__OldRow)3;)
RECORDS(insert_with_old, f->rows.old = PENSTOCK__OLD_ROW__OLD_KEY;)
RECORDS(delete_without_old, f->rows.kind = PENSTOCK__CHANGE_KIND__CHANGE_DELETE;)
RECORDS(insert_with_old_columns, f->rows.n_old_columns = 2;)
RECORDS(delete_with_new_columns, f->rows.kind = PENSTOCK__CHANGE_KIND__CHANGE_DELETE;
        f->rows.old = PENSTOCK__OLD_ROW__OLD_FULL;)
RECORDS(update_sides_differ, f->rows.kind = PENSTOCK__CHANGE_KIND__CHANGE_UPDATE;
        f->rows.old = PENSTOCK__OLD_ROW__OLD_KEY; f->rows.n_old_columns = 1;)
RECORDS(states_count, f->new_columns[0].states = DATA("\0\0\0");)
RECORDS(state_unknown, f->new_columns[1].states = DATA("\4");)
RECORDS(state_misplaced, f->new_columns[1].states = DATA("\1\2");)
RECORDS(lengths_too_many, f->new_columns[0].states = DATA("\0\1");)
RECORDS(lengths_of_no_value, f->new_columns[1].lengths = two_lengths; f->new_columns[1].n_lengths = 1;)
RECORDS(lengths_short, f->new_columns[0].data = DATA("abbb");)
RECORDS(lengths_long, f->new_columns[0].data = DATA("ab");)
RECORDS(uniform_short, f->new_columns[0].n_lengths = 1;)
RECORDS(uniform_long, static uint32_t huge[] = {0xffffffff}; f->new_columns[0].lengths = huge;
        f->new_columns[0].n_lengths = 1;)
RECORDS(data_without_lengths, f->new_columns[0].n_lengths = 0;)
RECORDS(data_of_no_value, f->new_columns[1].data = DATA("x");)

/* A single row */
static void forge_row(Forged *f)
{
    penstock__column__init(&f->new_row);
    penstock__column__init(&f->old_row);
    f->new_row.states = DATA("\0\0");
    f->new_row.lengths = two_lengths;
    f->new_row.n_lengths = 2;
    f->new_row.data = DATA("abb");
    f->rows.count = 1;
    f->rows.n_new_columns = 0;
    f->rows.new_row = &f->new_row;
    f->commit.change_count = 1;
}
RECORDS(row, forge_row(f);)
RECORDS(row_in_columns, f->rows.count = 1;)
RECORDS(row_of_two, forge_row(f); f->rows.count = 2;)
RECORDS(row_and_columns, forge_row(f); f->rows.n_new_columns = 2;)
RECORDS(row_old_of_insert, forge_row(f); f->rows.old_row = &f->old_row;)
RECORDS(row_narrow, forge_row(f); f->new_row.states = DATA("\0"); f->new_row.n_lengths = 1;
        f->new_row.data = DATA("a");)
RECORDS(row_state, forge_row(f); f->new_row.states = DATA("\0\3");)
RECORDS(row_lengths, forge_row(f); f->new_row.states = DATA("\0\1");)
RECORDS(row_data, forge_row(f); f->new_row.data = DATA("abbb");)
RECORDS(row_sides_differ, forge_row(f); f->rows.kind = PENSTOCK__CHANGE_KIND__CHANGE_UPDATE;
        f->rows.old = PENSTOCK__OLD_ROW__OLD_KEY; f->old_row.states = DATA("\3");
        f->rows.old_row = &f->old_row;)
RECORDS(row_too_wide, static const char many[1601]; forge_row(f); f->new_row.states = data(many, 1601);)

/* Truncates and commits */
RECORDS(truncate_sequence, f->truncate.sequence = 9;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_TRUNCATE, &f->truncate);)
RECORDS(truncate_unknown, f->truncated[0] = 8;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_TRUNCATE, &f->truncate);)
RECORDS(truncate_nothing, f->truncate.n_relations = 0;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_TRUNCATE, &f->truncate);)
RECORDS(recopy_sequence, f->recopy.sequence = 4;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_RECOPY, &f->recopy);)
RECORDS(recopy_unknown, f->recopy.relation = 8;
        insert_record(f, 4, PENSTOCK__RECORD__KIND_RECOPY, &f->recopy);)
RECORDS(recopy_early, insert_record(f, 1, PENSTOCK__RECORD__KIND_RECOPY, &f->recopy);)
RECORDS(commit_empty, f->commit.size = 0;)
RECORDS(commit_huge, f->commit.size = UINT64_MAX - 999;)
RECORDS(commit_count, f->commit.change_count = 3;)
RECORDS(commit_checksum, f->wrong_checksum = true;)

static const Case cases[] = {
    {"a sound frame is read", NULL, NULL, ERROR_NONE, NULL},
    {"newer version", NULL, newer_version, ERROR_PROTOCOL,
     "frame 1: the decoder writes wire version 3, and this program reads version 2: upgrade penstock on the "
     "migration host"},
    {"no version", NULL, no_version, ERROR_PROTOCOL,
     "frame 1: not a frame of penstock's wire format: it has no version"},
    {"unknown codec", NULL, unknown_codec, ERROR_PROTOCOL, "frame 1: codec 2 is not known"},
    {"wrong checksum", NULL, wrong_checksum, ERROR_PROTOCOL,
     "frame 1: the payload of 83 bytes has checksum c992861d, but the frame says 00000007"},
    {"raw size wrong", NULL, raw_size_wrong, ERROR_PROTOCOL,
     "frame 1: a plain payload has 83 bytes, not 2000"},
    {"raw size not left out", NULL, raw_size_not_left_out, ERROR_PROTOCOL,
     "frame 1: a size of 83 bytes would have been left out"},
    {"raw size beyond limit", NULL, raw_size_beyond_limit, ERROR_LIMIT,
     "frame 1: a frame inflates to 100001 bytes, more than the limit of 100000"},
    {"not zstd", NULL, not_zstd, ERROR_PROTOCOL,
     "frame 1: zstd at byte 0 of the payload: Unknown frame descriptor"},
    {"not a frame", not_a_frame, NULL, ERROR_PROTOCOL,
     "frame 1: not a frame of penstock's wire format: byte 1: a number that does not end, or has more than "
     "64 bits"},
    {"nothing", nothing, NULL, ERROR_PROTOCOL,
     "frame 1: not a frame of penstock's wire format: it has no version"},
    {"frame field unknown", frame_field_unknown, NULL, ERROR_PROTOCOL,
     "frame 1: byte 2: Frame has no field 7"},
    {"frame field twice", frame_field_twice, NULL, ERROR_PROTOCOL,
     "frame 1: byte 2: Frame.version is there more than once"},
    {"frame cut", frame_cut, NULL, ERROR_PROTOCOL, "frame 1: byte 4: 5 bytes wanted, 2 left"},
    {"frame wire type", frame_wire_type, NULL, ERROR_PROTOCOL,
     "frame 1: byte 2: field 6 has wire type 4, which is not used"},
    {"frame field type", frame_field_type, NULL, ERROR_PROTOCOL,
     "frame 1: byte 2: Frame.payload has wire type 0"},
    {"empty batch", empty_batch, NULL, ERROR_PROTOCOL, "frame 1: byte 0: a frame without records"},
    {"batch field unknown", batch_field_unknown, NULL, ERROR_PROTOCOL,
     "frame 1: byte 0: Batch has no field 2 of wire type 2"},
    {"batch cut", batch_cut, NULL, ERROR_PROTOCOL, "frame 1: byte 2: 5 bytes wanted, 1 left"},
    {"record empty", record_empty, NULL, ERROR_PROTOCOL, "frame 1: byte 2: an empty record"},
    {"record unknown", record_unknown, NULL, ERROR_PROTOCOL,
     "frame 1: byte 2: no record has field 10 of wire type 2"},
    {"record double", record_double, NULL, ERROR_PROTOCOL,
     "frame 1: byte 4: a record that is two things at once"},
    {"varint endless", varint_endless, NULL, ERROR_PROTOCOL,
     "frame 1: byte 5: a number that does not end, or has more than 64 bits"},
    {"number too large", number_too_large, NULL, ERROR_PROTOCOL,
     "frame 1: byte 4: Hello.wire_version is 34359738367, which is more than 4294967295"},
    {"field zero", field_zero, NULL, ERROR_PROTOCOL, "frame 1: byte 2: no field has the tag 2"},
    {"no hello", no_hello, NULL, ERROR_PROTOCOL, "frame 1: byte 0: begin cannot stand before hello"},
    {"hello twice", hello_twice, NULL, ERROR_PROTOCOL,
     "frame 1: byte 6: hello cannot stand between transactions"},
    {"hello version", hello_version, NULL, ERROR_PROTOCOL,
     "frame 1: byte 0: hello says wire version 3 in a frame of version 2"},
    {"no begin", no_begin, NULL, ERROR_PROTOCOL,
     "frame 1: byte 6: a relation cannot stand between transactions"},
    {"begin twice", begin_twice, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 13: begin cannot stand in a transaction"},
    {"begin without lsn", begin_without_lsn, NULL, ERROR_PROTOCOL,
     "frame 1: byte 6: a transaction cannot be 0 bytes behind one that ended at 0/0"},
    {"after commit", after_commit, NULL, ERROR_PROTOCOL,
     "frame 1: byte 83: rows cannot stand between transactions"},
    {"no commit", no_commit, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: a transaction is open at the end of a frame that does not say so"},
    {"commit left open", NULL, commit_left_open, ERROR_PROTOCOL,
     "frame 1: the frame leaves a transaction open, but none is"},
    {"message between", message_between, NULL, ERROR_PROTOCOL,
     "frame 1: byte 6: a transactional message cannot stand between transactions"},
    {"message numbered", message_numbered, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 13: a message outside transactions is numbered 1"},
    {"message sequence", message_sequence, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: change 4 follows change 2"},
    {"relation unnamed", relation_unnamed, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 17: relation 5 has no name"},
    {"relation column unnamed", relation_column_unnamed, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 32: column 2 of relation 5 has no name"},
    {"relation fingerprint", relation_fingerprint, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 17: relation 5 has no fingerprint"},
    {"relation identity", relation_identity, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 25: Relation.replica_identity is 4, which is more than 3"},
    {"relation gap", relation_gap, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 32: column 2 of relation 5 has the number 1601, more than 1600"},
    {"relation format", relation_format, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 30: RelationColumn.format is 2, which is more than 1"},
    {"relation too wide", relation_too_wide, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 8027: Relation.columns is there more than the format allows"},
    {"rows unknown relation", rows_unknown_relation, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 44: relation 6 has not been described"},
    {"rows narrow", rows_narrow, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 44: relation 5: rows have 1 columns, the relation 2"},
    {"rows sequence", rows_sequence, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 44: change 2 follows change 0"},
    {"rows none", rows_none, NULL, ERROR_PROTOCOL, "frame 1, transaction 0/3E8: byte 48: Rows.count is 0"},
    {"rows too many", rows_too_many, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 50: Rows.count is 65537, which is more than 65536"},
    {"rows kind", rows_kind, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 50: Rows.kind is 3, which is more than 2"},
    {"rows old", rows_old, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 50: Rows.old is 3, which is more than 2"},
    {"insert with old", insert_with_old, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of kind 0 cannot have an old row of kind 1"},
    {"delete without old", delete_without_old, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of kind 2 cannot have an old row of kind 0"},
    {"insert with old columns", insert_with_old_columns, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of kind 0 and old row 0 cannot have old columns"},
    {"delete with new columns", delete_with_new_columns, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of kind 2 and old row 2 cannot have new columns"},
    {"update sides differ", update_sides_differ, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows has 2 new and 1 old columns"},
    {"states count", states_count, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 56: Column.states has 3 entries for 2 rows"},
    {"state unknown", state_unknown, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 2: byte 67: Column.states has a state that cannot "
     "stand there"},
    {"state misplaced", state_misplaced, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 2: byte 67: Column.states has a state that cannot "
     "stand there"},
    {"lengths too many", lengths_too_many, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 56: Column.lengths has 2 entries for 1 "
     "values"},
    {"lengths of no value", lengths_of_no_value, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 2: byte 67: Column.lengths has 1 entries for 0 "
     "values"},
    {"lengths short", lengths_short, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 60: Column.lengths do not add up to 4 bytes "
     "of data"},
    {"lengths long", lengths_long, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 60: Column.lengths add up to more than 2 "
     "bytes of data"},
    {"uniform short", uniform_short, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 59: Column.lengths do not add up to 3 bytes "
     "of data"},
    {"uniform long", uniform_long, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 63: Column.lengths do not add up to 3 bytes "
     "of data"},
    {"data without lengths", data_without_lengths, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 1: byte 56: Column.data has 3 bytes without "
     "lengths"},
    {"data of no value", data_of_no_value, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new column 2: byte 67: Column.data has 1 bytes without "
     "lengths"},
    {"a sound row is read", row, NULL, ERROR_NONE, NULL},
    {"row in columns", row_in_columns, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of 1 rows, kind 0 and old row 0 do not store the new side "
     "so"},
    {"row of two", row_of_two, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of 2 rows, kind 0 and old row 0 do not store the new side "
     "so"},
    {"row and columns", row_and_columns, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of 1 rows, kind 0 and old row 0 do not store the new side "
     "so"},
    {"row old of insert", row_old_of_insert, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows of 1 rows, kind 0 and old row 0 do not store the old side "
     "so"},
    {"row narrow", row_narrow, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 44: relation 5: rows have 1 columns, the relation 2"},
    {"row state", row_state, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new row: byte 56: Column.states has a state that cannot stand "
     "there"},
    {"row lengths", row_lengths, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new row: byte 56: Column.lengths has 2 entries for 1 values"},
    {"row data", row_data, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new row: byte 64: Column.lengths do not add up to 4 bytes of "
     "data"},
    {"row sides differ", row_sides_differ, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 48: Rows has 2 new and 1 old columns"},
    {"row too wide", row_too_wide, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: relation 5, new row: byte 59: a row has 1601 cells, more than 1600"},
    {"truncate sequence", truncate_sequence, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: change 9 follows change 2"},
    {"truncate unknown", truncate_unknown, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: relation 8 has not been described"},
    {"truncate nothing", truncate_nothing, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 74: Truncate.relations is empty"},
    {"recopy sequence", recopy_sequence, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: change 4 follows change 2"},
    {"recopy unknown", recopy_unknown, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: relation 8 has not been described"},
    {"recopy early", recopy_early, NULL, ERROR_PROTOCOL,
     "frame 1: byte 6: a recopy cannot stand between transactions"},
    {"commit empty", commit_empty, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: the commit record at 0/3E8 cannot have 0 bytes"},
    {"commit huge", commit_huge, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: the commit record at 0/3E8 cannot have 18446744073709550616 "
     "bytes"},
    {"commit count", commit_count, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: commit counts 3 changes, 2 were there"},
    {"commit checksum", commit_checksum, NULL, ERROR_PROTOCOL,
     "frame 1, transaction 0/3E8: byte 70: the transaction has checksum 931432a4, but commit says "
     "931432a5"},
};

static void spoiled_frames_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        run(&cases[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spoiled_frames_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
