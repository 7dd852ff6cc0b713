/*
 * Anything as a sequence of CopyData payloads: two bytes of length, then so many bytes, again and again, through one
 * reader. Records that come out are printed, so that all that they point to is looked at.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "reader.h"
#include "wire_limits.h"

#define MAX_RAW_SIZE ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void open_one(FrameReader *reader, RecordPrinter *printer, Bytes frame)
{
    Arena *arena = arena_new(1); /* an allocation each, so that the sanitizer sees their ends */
    arena_limit(arena, MAX_RAW_SIZE * (READER_FACTOR + 1));
    Record *records;
    size_t count;
    Error error;
    if (frame_reader_open(reader, frame, arena, &records, &count, &error) == 0) {
        for (size_t i = 0; i < count; i++) {
            record_print(printer, &records[i]);
        }
    } else if (error.code == ERROR_SYSTEM) {
        abort(); /* the limit that wire_limits.h states does not hold */
    }
    arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FrameReader *reader;
    Error error;
    FrameReaderOptions options = {.max_raw_size = MAX_RAW_SIZE};
    if (frame_reader_new(&options, &reader, &error) != 0) {
        abort();
    }
    FILE *out = fopen("/dev/null", "w");
    RecordPrinter *printer = record_printer_new(out);
    while (size >= 2) {
        size_t wanted = (size_t)data[0] << 8 | data[1];
        size_t length = wanted < size - 2 ? wanted : size - 2;
        open_one(reader, printer, bytes_of(data + 2, length));
        data += 2 + length;
        size -= 2 + length;
    }
    record_printer_free(printer);
    fclose(out);
    frame_reader_free(reader);
    return 0;
}
