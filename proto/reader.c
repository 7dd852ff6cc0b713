/*
 * A frame passes four gates, and each is a file of its own: unseal (is the frame whole, and what does it
 * inflate to), cursor and fields (are these messages of our format), rows (do states, lengths and bytes of
 * cells fit together), and transaction (may this record come now).
 *
 * The messages are walked by hand and not by generated code, so that cells stay where they were inflated,
 * nothing is allocated before its count was checked, and an error can name the byte. The unit tests hold both
 * against each other.
 */
#include "reader.h"

#include <inttypes.h>
#include <stdlib.h>

#include "fields.h"
#include "records.h"
#include "transaction.h"
#include "unseal.h"
#include "varint.h"

#define PAYLOAD_FIELD 6

struct FrameReader {
    Unseal unseal;
    TransactionCheck *check;
    Arena *relations; /* borrowed, or NULL */
    uint64_t frames;  /* handed in so far */
    bool broken;
};

int frame_reader_new(const FrameReaderOptions *options, FrameReader **out, Error *error)
{
    *out = NULL;
    FrameReader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a frame reader");
    }
    reader->relations = options->relations;
    reader->check = transaction_check_new();
    if (reader->check == NULL) {
        error_set(error, ERROR_SYSTEM, "no memory for a frame reader");
    }
    if (reader->check == NULL || unseal_init(&reader->unseal, options->max_raw_size, error) != 0) {
        frame_reader_free(reader);
        return -1;
    }
    *out = reader;
    return 0;
}

void frame_reader_free(FrameReader *reader)
{
    if (reader != NULL) {
        unseal_free(&reader->unseal);
        transaction_check_free(reader->check);
        free(reader);
    }
}

/* The bytes of the next record in a batch. */
static int next_record(Cursor *cursor, Bytes *body, Error *error)
{
    WireField field;
    Cursor start = *cursor;
    if (cursor_field(cursor, &field, error) != 0) {
        return -1;
    }
    if (field.number != 1 || field.type != WIRE_BYTES) {
        return cursor_error(&start, error, "Batch has no field %u of wire type %u", field.number, field.type);
    }
    *body = field.bytes;
    return 0;
}

/* Refuses those without a message: what is allocated for each is a small multiple of its bytes. */
static int count_records(Cursor cursor, size_t *count, Error *error)
{
    for (*count = 0; !cursor_at_end(&cursor); ++*count) {
        Bytes body = {0};
        if (next_record(&cursor, &body, error) != 0) {
            return -1;
        }
        if (body.size == 0) {
            return cursor_error(&cursor, error, "an empty record");
        }
    }
    return *count > 0 ? 0 : cursor_error(&cursor, error, "a frame without records");
}

static int read_batch(FrameReader *reader, Bytes batch, Arena *arena, Record **records, size_t *count,
                      Error *error)
{
    Cursor cursor = cursor_of(batch);
    if (count_records(cursor, count, error) != 0) {
        return -1;
    }
    *records = message_alloc(arena, *count * sizeof **records, error);
    if (*records == NULL) {
        return -1;
    }
    transaction_check_frame(reader->check, batch);
    for (size_t i = 0; i < *count; i++) {
        Bytes body = {0};
        Cursor start = cursor;
        Record *record = &(*records)[i];
        if (next_record(&cursor, &body, error) != 0 ||
            record_decode(cursor_into(&cursor, body), arena,
                          reader->relations != NULL ? reader->relations : arena, record, error) != 0) {
            return -1;
        }
        size_t offset = (size_t)(start.at - start.base);
        if (transaction_check_record(reader->check, record, offset, error) != 0) {
            return error_context(error, "byte %zu", offset);
        }
    }
    return 0;
}

static int open_frame(FrameReader *reader, Bytes frame, Arena *arena, Record **records, size_t *count,
                      Error *error)
{
    Bytes batch = {0};
    bool open = false;
    if (unseal_frame(&reader->unseal, frame, arena, &batch, &open, error) != 0 ||
        read_batch(reader, batch, arena, records, count, error) != 0) {
        return -1;
    }
    return transaction_check_frame_end(reader->check, open, error);
}

/* Says where the frame stands in the connection and in which transaction. */
static int add_place(const FrameReader *reader, Error *error)
{
    char text[LSN_TEXT_SIZE];
    Lsn lsn = transaction_check_lsn(reader->check);
    if (lsn == LSN_INVALID) {
        return error_context(error, "frame %" PRIu64, reader->frames);
    }
    return error_context(error, "frame %" PRIu64 ", transaction %s", reader->frames, lsn_format(lsn, text));
}

int frame_reader_open(FrameReader *reader, Bytes frame, Arena *arena, Record **records, size_t *count,
                      Error *error)
{
    *records = NULL;
    *count = 0;
    if (reader->broken) {
        return error_set(error, ERROR_PROTOCOL,
                         "no frame can be read after frame %" PRIu64 ", which was refused", reader->frames);
    }
    reader->frames++;
    if (open_frame(reader, frame, arena, records, count, error) != 0) {
        reader->broken = true;
        *records = NULL;
        *count = 0;
        return add_place(reader, error);
    }
    return 0;
}

/* The payload is a frame's last field, whoever wrote it. */
bool frame_measure(Bytes bytes, size_t *size)
{
    Error ignored;
    WireField field = {0};
    Cursor cursor = cursor_of(bytes);
    *size = bytes.size;
    while (!cursor_at_end(&cursor) && cursor_field(&cursor, &field, &ignored) == 0) {
        if (field.number == PAYLOAD_FIELD) {
            *size = (size_t)(cursor.at - cursor.base);
            return true;
        }
    }
    return false;
}
