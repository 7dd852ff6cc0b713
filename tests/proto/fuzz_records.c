/*
 * Anything as the inflated bytes of a Batch, in a frame whose checksums are right. The input is put behind a sound hello,
 * begin and relation, so that it is mostly judged for itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "penstock.pb-c.h"
#include "print.h"
#include "reader.h"
#include "wire_limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a frame of no bytes takes. */
#define LEAST_MEMORY 1024

/* hello (wire version 2), begin (commit LSN 1000), relation 5 "s"."t" of two columns */
static const uint8_t opening[] = {
    0x0a, 0x04, 0x0a, 0x02, 0x10, 0x02, 0x0a, 0x05, 0x12, 0x03, 0x08, 0xe8, 0x07, 0x0a, 0x1d,
    0x1a, 0x1b, 0x08, 0x05, 0x12, 0x01, 's',  0x1a, 0x01, 't',  0x2a, 0x03, 0x0a, 0x01, 'a',
    0x2a, 0x03, 0x0a, 0x01, 'b',  0x31, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static void print_records(const Record *records, size_t count)
{
    FILE *out = fopen("/dev/null", "w");
    RecordPrinter *printer = record_printer_new(out);
    for (size_t i = 0; i < count; i++) {
        record_print(printer, &records[i]);
    }
    record_printer_free(printer);
    fclose(out);
}

static size_t seal(Bytes batch, bool first, uint8_t *out)
{
    Penstock__Frame frame = PENSTOCK__FRAME__INIT;
    frame.version = first ? WIRE_VERSION : 0;
    frame.raw_size = batch.size < SMALL_BATCH_SIZE ? 0 : (uint32_t)batch.size;
    frame.open = true;
    frame.checksum = (uint32_t)XXH3_64bits_withSeed(batch.data, batch.size, first ? 0 : 1);
    frame.payload = (ProtobufCBinaryData){.len = batch.size, .data = (uint8_t *)batch.data};
    return penstock__frame__pack(&frame, out);
}

static void read_sealed(FrameReader *reader, Bytes batch, bool first)
{
    uint8_t *bytes = malloc(batch.size + 100);
    size_t size = seal(batch, first, bytes);
    Arena *arena = arena_new(1);
    arena_limit(arena, LEAST_MEMORY + batch.size * (READER_FACTOR + 1));
    Record *records;
    size_t count;
    Error error;
    if (frame_reader_open(reader, bytes_of(bytes, size), arena, &records, &count, &error) == 0) {
        print_records(records, count);
    } else if (error.code == ERROR_SYSTEM) {
        abort(); /* the limit that wire_limits.h states does not hold */
    }
    arena_free(arena);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FrameReader *reader;
    Error error;
    FrameReaderOptions options = {.max_raw_size = 1 << 20};
    if (frame_reader_new(&options, &reader, &error) != 0) {
        abort();
    }
    read_sealed(reader, bytes_of(opening, sizeof opening), true);
    read_sealed(reader, bytes_of(data, size), false);
    frame_reader_free(reader);
    return 0;
}
