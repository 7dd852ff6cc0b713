/*
 * Frames in, text out: each line of standard input is one frame in hex, as psql gives them from
 * pg_logical_slot_get_binary_changes, and all of them are one connection's. The TAP tests of the decoder read
 * it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "reader.h"

#define MAX_RAW_SIZE ((size_t)1 << 30)

static int digit_value(char digit)
{
    return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

/* Turns hex into bytes in place. */
static Bytes unhex(char *line)
{
    size_t size = strcspn(line, "\n") / 2;
    for (size_t i = 0; i < size; i++) {
        line[i] = (char)(digit_value(line[2 * i]) << 4 | digit_value(line[2 * i + 1]));
    }
    return bytes_of(line, size);
}

static int print_frame(FrameReader *reader, RecordPrinter *printer, Bytes frame, Error *error)
{
    Arena *arena = arena_new(65536);
    Record *records;
    size_t count;
    int status = frame_reader_open(reader, frame, arena, &records, &count, error);
    for (size_t i = 0; status == 0 && i < count; i++) {
        record_print(printer, &records[i]);
    }
    arena_free(arena);
    return status;
}

int main(void)
{
    Error error;
    FrameReader *reader;
    FrameReaderOptions options = {.max_raw_size = MAX_RAW_SIZE};
    if (frame_reader_new(&options, &reader, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        return 3;
    }
    RecordPrinter *printer = record_printer_new(stdout);
    char *line = NULL;
    size_t capacity = 0;
    int status = 0;
    while (status == 0 && getline(&line, &capacity, stdin) > 1) {
        status = print_frame(reader, printer, unhex(line), &error);
    }
    if (status != 0) {
        fprintf(stderr, "%s\n", error.message);
    }
    free(line);
    record_printer_free(printer);
    frame_reader_free(reader);
    return status == 0 ? 0 : 3;
}
