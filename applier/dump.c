/*
 * Reads what `psql -At -c "SELECT encode(data, 'hex') FROM pg_logical_slot_peek_binary_changes(…)"` prints. The frames
 * of one call are one connection's stream, so one reader goes through them all.
 */
#include "dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "reader.h"

#define MAX_RAW_SIZE ((size_t)1 << 30)

static int digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Turns the hex digits at text into bytes, in place; false when they are none. */
static bool from_hex(char *text, size_t length, Bytes *out)
{
    for (size_t i = 0; i < length / 2; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        text[i] = (char)(high << 4 | low);
    }
    *out = bytes_of(text, length / 2);
    return length % 2 == 0;
}

static int dump_line(FrameReader *reader, RecordPrinter *printer, Arena *arena, char *line, size_t length,
                     Error *error)
{
    Bytes payload;
    Record *records;
    size_t count;
    if (!from_hex(line, length, &payload)) {
        return error_set(error, ERROR_USAGE, "not a line of hexadecimal digits");
    }
    arena_reset(arena);
    if (frame_reader_open(reader, payload, arena, &records, &count, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        record_print(printer, &records[i]);
    }
    return 0;
}

static int dump_stream(FILE *in, FrameReader *reader, Error *error)
{
    RecordPrinter *printer = record_printer_new(stdout);
    Arena *arena = arena_new(64 * 1024);
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    int status = 0;
    for (int number = 1; status == 0 && (length = getline(&line, &capacity, in)) >= 0; number++) {
        length -= length > 0 && line[length - 1] == '\n';
        if (length > 0 && dump_line(reader, printer, arena, line, (size_t)length, error) != 0) {
            status = error_context(error, "line %d", number);
        }
    }
    free(line);
    arena_free(arena);
    record_printer_free(printer);
    return status;
}

int dump_frames(const char *path, Error *error)
{
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    if (in == NULL) {
        return error_set(error, ERROR_SYSTEM, "cannot read %s: %s", path, strerror(errno));
    }
    FrameReaderOptions options = {.max_raw_size = MAX_RAW_SIZE};
    FrameReader *reader;
    int status = frame_reader_new(&options, &reader, error);
    if (status == 0) {
        status = dump_stream(in, reader, error);
        frame_reader_free(reader);
    }
    if (in != stdin) {
        fclose(in);
    }
    return status;
}
