/*
 * One arena per frame: the reader's records, the frame and its tables of relations all go there and are freed
 * with the last batch that holds the frame. Relations live apart from it, in the registry, because they
 * outlast frames; what their records say is gone once it is there.
 *
 * Records are walked in order, so a relation number means what it meant at that point of the stream, even
 * where one frame defines it twice.
 */
#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST_CHUNK (2 * 1024)
#define LARGEST_CHUNK (1024 * 1024)
#define RELATIONS_CHUNK (64 * 1024)

struct Decoder {
    DecoderOptions options;
    FrameReader *reader;
    Registry *registry;
    Arena *relations; /* what the relation records of a frame point to: the registry keeps what they say */
    bool greeted;     /* Hello has come */
};

int decoder_new(const DecoderOptions *options, Decoder **out, Error *error)
{
    *out = NULL;
    Decoder *decoder = calloc(1, sizeof *decoder);
    if (decoder == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for the decoder");
    }
    decoder->options = *options;
    decoder->registry = options->registry;
    registry_begin(decoder->registry);
    decoder->relations = arena_new(RELATIONS_CHUNK);
    FrameReaderOptions reader_options = {.max_raw_size = options->max_raw_size,
                                         .relations = decoder->relations};
    if (frame_reader_new(&reader_options, &decoder->reader, error) != 0) {
        decoder_free(decoder);
        return -1;
    }
    *out = decoder;
    return 0;
}

void decoder_free(Decoder *decoder)
{
    if (decoder != NULL) {
        frame_reader_free(decoder->reader);
        arena_free(decoder->relations);
        free(decoder);
    }
}

/* Appends an option that the plugin could not grant: "read_ahead_off=reason" as "read_ahead is off: reason". */
static void add_note(char *notes, Bytes option)
{
    static const char mark[] = "_off=";
    const char *text = (const char *)option.data;
    const char *found = memmem(text, option.size, mark, sizeof mark - 1);
    if (found == NULL) {
        return;
    }
    const char *reason = found + sizeof mark - 1;
    size_t used = strlen(notes);
    snprintf(notes + used, PLUGIN_NOTES_SIZE - used, "%s%.*s is off: %.*s", used > 0 ? "; " : "",
             (int)(found - text), text, (int)(option.size - (size_t)(reason - text)), reason);
}

static void take_notes(char *notes, const HelloRecord *hello)
{
    notes[0] = '\0';
    for (uint32_t i = 0; i < hello->option_count; i++) {
        add_note(notes, hello->options[i]);
    }
    for (char *at = notes; *at != '\0'; at++) {
        *at = *at < ' ' || *at > '~' || *at == '"' || *at == '\\' ? '?' : *at;
    }
}

static int check_hello(Decoder *decoder, const HelloRecord *hello, Error *error)
{
    const char *expected = decoder->options.encoding;
    if (hello->wire_version != WIRE_VERSION) {
        error_set(error, ERROR_PROTOCOL,
                  "the plugin on the source (%.*s) speaks wire version %u, this applier %d",
                  (int)hello->plugin_version.size, (const char *)hello->plugin_version.data,
                  hello->wire_version, WIRE_VERSION);
        return error_hint(error, "Install the plugin and the applier of one version.");
    }
    if (hello->encoding.size != strlen(expected) ||
        memcmp(hello->encoding.data, expected, hello->encoding.size) != 0) {
        error_set(error, ERROR_STATE,
                  "the source database has encoding %.*s, it had %s when the migration began",
                  (int)hello->encoding.size, (const char *)hello->encoding.data, expected);
        return error_hint(error, "Check --source: this is another database.");
    }
    decoder->greeted = true;
    if (decoder->options.notes != NULL) {
        take_notes(decoder->options.notes, hello);
    }
    return 0;
}

static int find_relation(Decoder *decoder, uint32_t id, const SourceRelation **out, Error *error)
{
    *out = registry_find(decoder->registry, id);
    return *out != NULL
               ? 0
               : error_set(error, ERROR_PROTOCOL, "relation %u was not described before its changes", id);
}

/* Cleared memory of the frame for what it holds; NULL, and an error, when there is none: the connection ends, and begins anew. */
static void *frame_alloc(const DecodedFrame *frame, size_t count, size_t size, Error *error)
{
    void *result = arena_try_alloc(frame->arena, count * size);
    if (result == NULL) {
        error_set(error, ERROR_SYSTEM, "no memory for a frame of %zu records", frame->count);
        return NULL;
    }
    return memset(result, 0, count * size);
}

static int find_truncated(Decoder *decoder, DecodedFrame *frame, size_t index, Error *error)
{
    const TruncateRecord *truncate = &frame->records[index].truncate;
    const SourceRelation **relations =
        frame_alloc(frame, truncate->relation_count + 1, sizeof *relations, error);
    if (frame->truncated == NULL) {
        frame->truncated = frame_alloc(frame, frame->count, sizeof *frame->truncated, error);
    }
    if (relations == NULL || frame->truncated == NULL) {
        return -1;
    }
    frame->truncated[index] = relations;
    for (uint32_t i = 0; i < truncate->relation_count; i++) {
        if (find_relation(decoder, truncate->relations[i], &relations[i], error) != 0) {
            return -1;
        }
    }
    return 0;
}

static int check_shape(const RowsRecord *rows, const SourceRelation *source, Error *error)
{
    if (rows->column_count != source->column_count) {
        return error_set(error, ERROR_PROTOCOL, "rows of %s.%s came with %u columns, it has %u",
                         source->schema, source->name, rows->column_count, source->column_count);
    }
    return 0;
}

static int resolve_record(Decoder *decoder, DecodedFrame *frame, size_t index, Error *error)
{
    const Record *record = &frame->records[index];
    if (!decoder->greeted && record->kind != RECORD_HELLO) {
        error_set(error, ERROR_PROTOCOL, "the stream did not start with a hello");
        return error_hint(error, "The slot's plugin is not the one this applier knows: check its version.");
    }
    switch (record->kind) {
    case RECORD_HELLO:
        return check_hello(decoder, record->hello, error);
    case RECORD_RELATION:
        frame->sources[index] = registry_define(decoder->registry, record->relation);
        frame->records[index].relation = NULL;
        return 0;
    case RECORD_ROWS:
        if (find_relation(decoder, record->rows.relation, &frame->sources[index], error) != 0) {
            return -1;
        }
        return check_shape(&record->rows, frame->sources[index], error);
    case RECORD_RECOPY:
        return find_relation(decoder, record->recopy.relation, &frame->sources[index], error);
    case RECORD_TRUNCATE:
        return find_truncated(decoder, frame, index, error);
    default:
        return 0;
    }
}

static DecodedFrame *new_frame(const Decoder *decoder, size_t payload_size)
{
    /* A frame comes to some ten times its payload: what is left empty in the last chunk is a small part of that. */
    size_t chunk = payload_size;
    chunk = chunk < SMALLEST_CHUNK ? SMALLEST_CHUNK : chunk > LARGEST_CHUNK ? LARGEST_CHUNK : chunk;
    Arena *arena = arena_new(chunk);
    DecodedFrame *frame = arena_zalloc(arena, sizeof *frame);
    frame->arena = arena;
    frame->account = decoder->options.account;
    atomic_init(&frame->references, 1);
    return frame;
}

static int fill_frame(Decoder *decoder, DecodedFrame *frame, Bytes payload, Error *error)
{
    if (frame_reader_open(decoder->reader, payload, frame->arena, &frame->records, &frame->count, error) !=
        0) {
        return -1;
    }
    frame->sources = frame_alloc(frame, frame->count + 1, sizeof *frame->sources, error);
    if (frame->sources == NULL) {
        return -1;
    }
    for (size_t i = 0; i < frame->count; i++) {
        if (resolve_record(decoder, frame, i, error) != 0) {
            return -1;
        }
    }
    return 0;
}

int decoder_decode(Decoder *decoder, Bytes payload, DecodedFrame **out, Error *error)
{
    DecodedFrame *frame = new_frame(decoder, payload.size);
    *out = NULL;
    int status = fill_frame(decoder, frame, payload, error);
    arena_reset(decoder->relations);
    frame->footprint = arena_footprint(frame->arena);
    if (frame->account != NULL) {
        atomic_fetch_add_explicit(frame->account, frame->footprint, memory_order_relaxed);
    }
    if (status != 0) {
        frame_release(frame);
        return -1;
    }
    *out = frame;
    return 0;
}
