/*
 * The frames of one connection come in one of two ways, and the first byte tells which:
 *
 *   lines of hex    what psql prints of pg_logical_slot_peek_binary_changes: `encode(data, 'hex')`, or data as it is,
 *                   with \x before it
 *   the bytes       what pg_recvlogical writes: each frame, and a newline behind it. A frame begins with a field's tag,
 *                   which is neither a character of hex nor a newline, and ends with its payload
 */
#include "dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "print.h"
#include "reader.h"

#define MAX_RAW_SIZE ((size_t)1 << 30)
#define READ_SIZE ((size_t)64 * 1024)

typedef struct Dump {
    FILE *in;
    FrameReader *reader;
    RecordPrinter *printer;
    Arena *arena; /* of the frame at hand */
} Dump;

static int dump_frame(Dump *dump, Bytes frame, Error *error)
{
    Record *records;
    size_t count;
    arena_reset(dump->arena);
    if (frame_reader_open(dump->reader, frame, dump->arena, &records, &count, error) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        record_print(dump->printer, &records[i]);
    }
    return 0;
}

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

static int dump_line(Dump *dump, char *line, size_t length, Error *error)
{
    Bytes frame;
    size_t prefix = strncmp(line, "\\x", 2) == 0 ? 2 : 0;
    if (length == 0) {
        return 0;
    }
    if (!from_hex(line + prefix, length - prefix, &frame)) {
        return error_set(error, ERROR_USAGE, "not a line of hexadecimal digits");
    }
    return dump_frame(dump, frame, error);
}

static int dump_lines(Dump *dump, Error *error)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    int status = 0;
    for (int number = 1; status == 0 && (length = getline(&line, &capacity, dump->in)) >= 0; number++) {
        length -= length > 0 && line[length - 1] == '\n';
        if (dump_line(dump, line, (size_t)length, error) != 0) {
            status = error_context(error, "line %d", number);
        }
    }
    free(line);
    return status;
}

/* Prints the frames that are whole, and says how many bytes that were. At the end the rest must be one, too. */
static int dump_whole(Dump *dump, Bytes bytes, bool at_end, size_t *used, Error *error)
{
    size_t size;
    *used = 0;
    while (*used < bytes.size) {
        if (bytes.data[*used] == '\n') {
            ++*used;
            continue;
        }
        Bytes rest = bytes_of(bytes.data + *used, bytes.size - *used);
        if (!frame_measure(rest, &size) && !at_end) {
            return 0;
        }
        if (dump_frame(dump, bytes_of(rest.data, size), error) != 0) {
            return -1;
        }
        *used += size;
    }
    return 0;
}

static int dump_bytes(Dump *dump, Error *error)
{
    uint8_t *bytes = NULL;
    size_t held = 0, used, got = 1;
    int status = 0;
    while (status == 0 && got > 0) {
        bytes = realloc(bytes, held + READ_SIZE);
        if (bytes == NULL) {
            abort();
        }
        got = fread(bytes + held, 1, READ_SIZE, dump->in);
        held += got;
        status = dump_whole(dump, bytes_of(bytes, held), got == 0, &used, error);
        held -= used;
        memmove(bytes, bytes + used, held);
    }
    free(bytes);
    return status;
}

static int dump_stream(FILE *in, FrameReader *reader, Error *error)
{
    Dump dump = {
        .in = in, .reader = reader, .printer = record_printer_new(stdout), .arena = arena_new(64 * 1024)};
    int first = ungetc(getc(in), in);
    bool hex = first == '\\' || first == '\n' || digit((char)first) >= 0;
    int status = first == EOF ? 0 : hex ? dump_lines(&dump, error) : dump_bytes(&dump, error);
    arena_free(dump.arena);
    record_printer_free(dump.printer);
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
