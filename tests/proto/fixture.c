/*
 * The reader of a Wire has no memory of its own to trust: frames are handed to it as copies of exactly their size, so
 * that a sanitizer sees it look past the end.
 */
#include "fixture.h"

#include <stdio.h>
#include <xxhash.h>

#include "wire_limits.h"

Wire *wire_new(WireCodec codec, size_t frame_size)
{
    Wire *wire = calloc(1, sizeof *wire);
    FrameWriterOptions writing = {.codec = codec, .level = 1, .frame_size = frame_size};
    FrameReaderOptions reading = {.max_raw_size = (size_t)1 << 28};
    ok(wire, frame_writer_new(&writing, &wire->writer, &wire->error));
    ok(wire, frame_reader_new(&reading, &wire->reader, &wire->error));
    wire->arena = arena_new(1);
    return wire;
}

void wire_free(Wire *wire)
{
    frame_writer_free(wire->writer);
    frame_reader_free(wire->reader);
    arena_free(wire->arena);
    free(wire);
}

void wire_pass(Wire *wire)
{
    Bytes frame;
    ok(wire, frame_writer_take(wire->writer, &frame, &wire->error));
    uint8_t *copy = malloc(frame.size);
    memcpy(copy, frame.data, frame.size);
    int status = frame_reader_open(wire->reader, bytes_of(copy, frame.size), wire->arena, &wire->records,
                                   &wire->count, &wire->error);
    memset(copy, 0xee, frame.size);
    free(copy);
    ok(wire, status);
    wire->frame_bytes = frame.size;
    wire->passed++;
}

void wire_hello(Wire *wire)
{
    const Bytes options[] = {text("codec=zstd"), text("level=1")};
    HelloRecord hello = {
        .plugin_version = text("0.1.0"),
        .wire_version = WIRE_VERSION,
        .server_version = 110022,
        .encoding = text("UTF8"),
        .option_count = 2,
        .options = options,
    };
    ok(wire, writer_hello(wire->writer, &hello, &wire->error));
}

void wire_begin(Wire *wire, Lsn lsn)
{
    BeginRecord begin = {.commit_lsn = lsn, .commit_time = -5, .xid = 574};
    ok(wire, writer_begin(wire->writer, &begin, &wire->error));
}

void wire_relation(Wire *wire, uint32_t id, uint32_t column_count)
{
    RelationColumnRecord *columns = calloc(column_count + 1, sizeof *columns);
    char(*names)[16] = calloc(column_count + 1, sizeof *names);
    for (uint32_t i = 0; i < column_count; i++) {
        snprintf(names[i], sizeof names[i], "c%u", i + 1);
        columns[i] = (RelationColumnRecord){
            .number = i + 1,
            .name = bytes_of(names[i], strlen(names[i])),
            .type = 25,
            .base_type = 25,
            .type_schema = text("pg_catalog"),
            .type_name = text("text"),
            .typmod = -1,
            .key = i == 0,
        };
    }
    RelationRecord relation = {
        .id = id,
        .schema = text("public"),
        .name = text("t"),
        .identity = IDENTITY_DEFAULT,
        .column_count = column_count,
        .columns = columns,
    };
    ok(wire, writer_relation(wire->writer, &relation, &wire->error));
    free(names);
    free(columns);
}

void wire_commit(Wire *wire, Lsn lsn)
{
    CommitRecord commit = {.commit_lsn = lsn, .end_lsn = lsn + 40, .commit_time = -5};
    ok(wire, writer_commit(wire->writer, &commit, &wire->error));
}

void wire_insert(Wire *wire, uint32_t relation, uint32_t column_count, ...)
{
    va_list args;
    va_start(args, column_count);
    ok(wire, writer_row(wire->writer, relation, column_count, CHANGE_INSERT, OLD_NONE, &wire->error));
    for (uint32_t i = 0; i < column_count; i++) {
        const char *value = va_arg(args, const char *);
        if (value != NULL) {
            ok(wire, writer_value(wire->writer, SIDE_NEW, value, strlen(value), &wire->error));
        } else {
            ok(wire, writer_state(wire->writer, SIDE_NEW, CELL_NULL, &wire->error));
        }
    }
    ok(wire, writer_row_end(wire->writer, &wire->error));
    va_end(args);
}

uint8_t *forge_frame(Bytes batch, bool open, size_t *size)
{
    Penstock__Frame frame = PENSTOCK__FRAME__INIT;
    frame.version = WIRE_VERSION;
    frame.codec = PENSTOCK__CODEC__CODEC_NONE;
    frame.raw_size = batch.size < SMALL_BATCH_SIZE ? 0 : (uint32_t)batch.size;
    frame.open = open;
    frame.checksum = (uint32_t)XXH3_64bits(batch.data, batch.size);
    frame.payload = (ProtobufCBinaryData){.len = batch.size, .data = (uint8_t *)batch.data};
    *size = penstock__frame__get_packed_size(&frame);
    uint8_t *bytes = malloc(*size + 1);
    penstock__frame__pack(&frame, bytes);
    return bytes;
}
