/*
 * Writes the seeds of the fuzzers: one small connection for fuzz-reader, and the records of its transaction for
 * fuzz-records. They are kept in corpus/, in a folder per fuzzer; run this again when the format has changed.
 */
#include "fixture.h"

#include <stdio.h>

static void save(const char *folder, const char *name, Bytes bytes, bool with_length)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    if (with_length) {
        fputc((int)(bytes.size >> 8), file);
        fputc((int)(bytes.size & 0xff), file);
    }
    fwrite(bytes.data, 1, bytes.size, file);
    fclose(file);
}

static void save_frame(Wire *wire, const char *folder, const char *name)
{
    Bytes frame;
    ok(wire, frame_writer_take(wire->writer, &frame, &wire->error));
    save(folder, name, frame, true);
}

static void write_changes(Wire *wire)
{
    wire_insert(wire, 5, 2, "key", "value");
    wire_insert(wire, 5, 2, "other", NULL);
    ok(wire, writer_row(wire->writer, 5, 2, CHANGE_UPDATE, OLD_KEY, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_OLD, "key", 3, &wire->error));
    ok(wire, writer_state(wire->writer, SIDE_OLD, CELL_ABSENT, &wire->error));
    ok(wire, writer_value(wire->writer, SIDE_NEW, "new", 3, &wire->error));
    ok(wire, writer_state(wire->writer, SIDE_NEW, CELL_UNCHANGED, &wire->error));
    ok(wire, writer_row_end(wire->writer, &wire->error));
    const uint32_t relations[] = {5};
    TruncateRecord truncate = {.relation_count = 1, .relations = relations, .cascade = true};
    ok(wire, writer_truncate(wire->writer, &truncate, &wire->error));
    MessageRecord message = {.transactional = true, .prefix = text("p"), .content = text("c")};
    ok(wire, writer_message(wire->writer, &message, &wire->error));
    RecopyRecord recopy = {.relation = 5, .lsn = 990, .reason = text("r")};
    ok(wire, writer_recopy(wire->writer, &recopy, &wire->error));
}

static void save_connection(const char *folder, WireCodec codec, const char *name)
{
    Wire *wire = wire_new(codec, 65536);
    wire_hello(wire);
    save_frame(wire, folder, name);
    for (Lsn lsn = 1000; lsn <= 3000; lsn += 1000) {
        wire_begin(wire, lsn);
        wire_relation(wire, 5, 2);
        write_changes(wire);
        wire_commit(wire, lsn);
        if (lsn != 2000) { /* that one shares a frame with the next */
            save_frame(wire, folder, name);
        }
    }
    wire_free(wire);
}

static void save_records(const char *folder, const char *name)
{
    Wire *wire = wire_new(WIRE_CODEC_NONE, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 2);
    Bytes bytes;
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    write_changes(wire);
    ok(wire, frame_writer_take(wire->writer, &bytes, &wire->error));
    Penstock__Frame *frame = penstock__frame__unpack(NULL, bytes.size, bytes.data);
    save(folder, name, bytes_of(frame->payload.data, frame->payload.len), false);
    penstock__frame__free_unpacked(frame, NULL);
    wire_free(wire);
}

/* As many rows and columns as there can be, of no bytes: in three ways, one of them with a length in a long form. */
static void save_without_bytes(const char *folder)
{
    static const uint8_t kinds[][6] = {{0x32, 0}, {0x32, 3, 0x0a, 1, 1}, {0x32, 4, 0x12, 2, 0x80, 0}};
    static const size_t sizes[] = {2, 5, 6};
    static const char *const names[] = {"no-lengths", "all-null", "long-zero"};
    for (int kind = 0; kind < 3; kind++) {
        uint8_t bytes[64] = {0x0a, 0, 0x22, 0, 0x08, 5, 0x20, 0x80, 0x80, 0x04, 0x28, 1};
        size_t size = 12;
        for (int column = 0; column < 2; column++) {
            memcpy(bytes + size, kinds[kind], sizes[kind]);
            size += sizes[kind];
        }
        bytes[1] = (uint8_t)(size - 2);
        bytes[3] = (uint8_t)(size - 4);
        char path[64];
        snprintf(path, sizeof path, "fuzz-records/%s", names[kind]);
        save(folder, path, bytes_of(bytes, size), false);
    }
}

/* The same, too many columns to be allowed, as zstd makes little of it. */
static void save_bomb(const char *folder)
{
    Wire *wire = wire_new(WIRE_CODEC_ZSTD, 65536);
    wire_hello(wire);
    wire_begin(wire, 1000);
    wire_relation(wire, 5, 1600);
    for (int row = 0; row < 30; row++) {
        ok(wire, writer_row(wire->writer, 5, 1600, CHANGE_INSERT, OLD_NONE, &wire->error));
        for (int column = 0; column < 1600; column++) {
            ok(wire, writer_value(wire->writer, SIDE_NEW, "", 0, &wire->error));
        }
        ok(wire, writer_row_end(wire->writer, &wire->error));
    }
    wire_commit(wire, 1000);
    save_frame(wire, folder, "fuzz-reader/wide");
    wire_free(wire);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    save_connection(argv[1], WIRE_CODEC_ZSTD, "fuzz-reader/zstd");
    save_connection(argv[1], WIRE_CODEC_NONE, "fuzz-reader/plain");
    save_records(argv[1], "fuzz-records/records");
    save_without_bytes(argv[1]);
    save_bomb(argv[1]);
    return 0;
}
