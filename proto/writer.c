/*
 * The writer is a Batch that grows, a run that waits to be appended to it, and where we stand:
 *
 *     START ──hello──► IDLE ──begin──► OPEN ──commit──► IDLE
 *
 * Rows go into the run; every other record closes the run first, so that records keep the order of the
 * changes. Taking a frame closes the run too, seals the Batch and starts an empty one. The transaction's
 * checksum is updated with what the Batch has of it: when the Batch is sealed, and just before the commit record is
 * appended to it.
 *
 * A failure leaves the Batch as it was before the call, except a failure to seal: the zstd stream is then
 * lost, and the state becomes BROKEN.
 */
#include "writer.h"

#include <stdlib.h>
#include <xxhash.h>

#include "pack.h"
#include "run.h"
#include "seal.h"
#include "wire_limits.h"

/* Buffers larger than this many frames are given back once the frame that needed them is gone. */
#define KEPT_FRAMES 4

static const char *const state_names[] = {
    [STREAM_START] = "before hello",
    [STREAM_IDLE] = "between transactions",
    [STREAM_OPEN] = "in a transaction",
    [STREAM_BROKEN] = "after a failure to compress",
};

struct FrameWriter {
    StreamState state;
    size_t frame_size;
    size_t row_limit;
    size_t keep; /* bytes that a buffer may keep from frame to frame */
    Buffer batch;
    Run run;
    Seal seal;
    XXH3_state_t *hash;     /* of the open transaction's batches that have been taken */
    size_t begun;           /* where the open transaction begins in the batch */
    uint64_t last_sequence; /* number of the last change in the batch or in the run */
    TransactionPlace last;  /* the transaction before, from which Begin counts */
    TransactionPlace open;  /* the open one */
};

int frame_writer_new(const FrameWriterOptions *options, FrameWriter **out, Error *error)
{
    *out = NULL;
    if (options->codec != WIRE_CODEC_NONE && options->codec != WIRE_CODEC_ZSTD) {
        return error_set(error, ERROR_USAGE, "codec %d is not known", (int)options->codec);
    }
    if (options->codec == WIRE_CODEC_ZSTD && (options->level < 1 || options->level > 19)) {
        return error_set(error, ERROR_USAGE, "zstd level %d is not within 1 to 19", options->level);
    }
    FrameWriter *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a frame writer");
    }
    writer->state = STREAM_START;
    writer->frame_size = options->frame_size;
    writer->row_limit = options->row_limit != 0 ? options->row_limit : SIZE_MAX;
    writer->keep = KEPT_FRAMES * options->frame_size + 4096;
    writer->hash = XXH3_createState();
    if (writer->hash == NULL) {
        error_set(error, ERROR_SYSTEM, "no memory for a checksum");
    }
    if (writer->hash == NULL || seal_init(&writer->seal, options->codec, options->level, error) != 0) {
        frame_writer_free(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

void frame_writer_free(FrameWriter *writer)
{
    if (writer != NULL) {
        buffer_free(&writer->batch);
        run_free(&writer->run);
        seal_free(&writer->seal);
        XXH3_freeState(writer->hash);
        free(writer);
    }
}

static int refuse(const FrameWriter *writer, const char *what, Error *error)
{
    return error_set(error, ERROR_STATE, "%s cannot be written %s", what, state_names[writer->state]);
}

/* Moves the finished rows of the run into the batch; an unfinished one is dropped. */
static int close_run(FrameWriter *writer, Error *error)
{
    run_row_drop(&writer->run);
    if (writer->run.count > 0 && run_write(&writer->run, &writer->batch, error) != 0) {
        return -1;
    }
    run_clear(&writer->run, writer->keep);
    return 0;
}

int writer_hello(FrameWriter *writer, const HelloRecord *record, Error *error)
{
    if (writer->state != STREAM_START) {
        return refuse(writer, "hello", error);
    }
    if (pack_hello(&writer->batch, record, error) != 0) {
        return -1;
    }
    writer->state = STREAM_IDLE;
    return 0;
}

int writer_heartbeat(FrameWriter *writer, const HeartbeatRecord *record, Error *error)
{
    if (writer->state != STREAM_IDLE && writer->state != STREAM_OPEN) {
        return refuse(writer, "a heartbeat", error);
    }
    return close_run(writer, error) != 0 ? -1 : pack_heartbeat(&writer->batch, record, error);
}

int writer_begin(FrameWriter *writer, const BeginRecord *record, Error *error)
{
    if (writer->state != STREAM_IDLE) {
        return refuse(writer, "begin", error);
    }
    if (record->commit_lsn == LSN_INVALID || record->commit_lsn < writer->last.lsn) {
        char now[LSN_TEXT_SIZE], last[LSN_TEXT_SIZE];
        return error_set(error, ERROR_STATE, "a transaction committed at %s follows one that ended at %s",
                         lsn_format(record->commit_lsn, now), lsn_format(writer->last.lsn, last));
    }
    size_t begun = writer->batch.used;
    if (pack_begin(&writer->batch, record, &writer->last, error) != 0) {
        return -1;
    }
    XXH3_64bits_reset(writer->hash);
    writer->begun = begun;
    writer->last_sequence = 0;
    writer->open = (TransactionPlace){record->commit_lsn, record->commit_time, record->xid};
    writer->state = STREAM_OPEN;
    return 0;
}

static bool numbers_ascend(const RelationRecord *record)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < record->column_count; i++) {
        if (record->columns[i].number <= last || record->columns[i].number > MAX_COLUMNS) {
            return false;
        }
        last = record->columns[i].number;
    }
    return true;
}

int writer_relation(FrameWriter *writer, const RelationRecord *record, Error *error)
{
    if (writer->state != STREAM_OPEN) {
        return refuse(writer, "a relation", error);
    }
    if (record->column_count > MAX_COLUMNS) {
        return error_set(error, ERROR_LIMIT, "relation %u has %u columns, more than %d", record->id,
                         record->column_count, MAX_COLUMNS);
    }
    if (!numbers_ascend(record)) {
        return error_set(error, ERROR_STATE, "the columns of relation %u are not numbered upwards from 1",
                         record->id);
    }
    return close_run(writer, error) != 0 ? -1 : pack_relation(&writer->batch, record, error);
}

int writer_truncate(FrameWriter *writer, const TruncateRecord *record, Error *error)
{
    if (writer->state != STREAM_OPEN) {
        return refuse(writer, "a truncate", error);
    }
    TruncateRecord numbered = *record;
    numbered.sequence = writer->last_sequence + 1;
    if (close_run(writer, error) != 0 || pack_truncate(&writer->batch, &numbered, error) != 0) {
        return -1;
    }
    writer->last_sequence++;
    return 0;
}

int writer_recopy(FrameWriter *writer, const RecopyRecord *record, Error *error)
{
    if (writer->state != STREAM_OPEN) {
        return refuse(writer, "a recopy", error);
    }
    RecopyRecord numbered = *record;
    numbered.sequence = writer->last_sequence + 1;
    if (close_run(writer, error) != 0 || pack_recopy(&writer->batch, &numbered, error) != 0) {
        return -1;
    }
    writer->last_sequence++;
    return 0;
}

int writer_message(FrameWriter *writer, const MessageRecord *record, Error *error)
{
    if (writer->state != STREAM_OPEN && (writer->state != STREAM_IDLE || record->transactional)) {
        return refuse(writer, record->transactional ? "a transactional message" : "a message", error);
    }
    MessageRecord numbered = *record;
    numbered.sequence = record->transactional ? writer->last_sequence + 1 : 0;
    if (close_run(writer, error) != 0 || pack_message(&writer->batch, &numbered, error) != 0) {
        return -1;
    }
    writer->last_sequence += record->transactional;
    return 0;
}

/* Adds to the transaction's checksum what the batch has of it. */
static void hash_batch(FrameWriter *writer)
{
    XXH3_64bits_update(writer->hash, writer->batch.data + writer->begun, writer->batch.used - writer->begun);
    writer->begun = 0;
}

int writer_commit(FrameWriter *writer, const CommitRecord *record, Error *error)
{
    if (writer->state != STREAM_OPEN) {
        return refuse(writer, "commit", error);
    }
    if (record->commit_lsn != writer->open.lsn || record->end_lsn <= record->commit_lsn) {
        char at[LSN_TEXT_SIZE], begun[LSN_TEXT_SIZE], ended[LSN_TEXT_SIZE];
        return error_set(error, ERROR_STATE,
                         "commit at %s, ending before %s, ends a transaction that began as %s",
                         lsn_format(record->commit_lsn, at), lsn_format(record->end_lsn, ended),
                         lsn_format(writer->open.lsn, begun));
    }
    /* Room for the record first: once the checksum has seen the batch, nothing may fail. */
    if (close_run(writer, error) != 0 || buffer_reserve(&writer->batch, 128, error) != 0) {
        return -1;
    }
    hash_batch(writer);
    CommitRecord completed = *record;
    completed.change_count = writer->last_sequence;
    completed.checksum = (uint32_t)XXH3_64bits_digest(writer->hash);
    if (pack_commit(&writer->batch, &completed, error) != 0) {
        writer->state = STREAM_BROKEN;
        return -1;
    }
    writer->last = writer->open;
    writer->last.lsn = record->end_lsn;
    writer->state = STREAM_IDLE;
    return 0;
}

int writer_row(FrameWriter *writer, uint32_t relation, uint32_t column_count, ChangeKind kind, OldRow old,
               Error *error)
{
    if (writer->state != STREAM_OPEN) {
        return refuse(writer, "a row", error);
    }
    if (!run_kind_is_valid(kind, old) || column_count > MAX_COLUMNS) {
        return error_set(error, ERROR_STATE, "relation %u: no row has kind %d, old row %d and %u columns",
                         relation, (int)kind, (int)old, column_count);
    }
    RunKey key = {.relation = relation, .column_count = column_count, .kind = kind, .old = old};
    run_row_drop(&writer->run);
    if (!run_fits(&writer->run, &key)) {
        if (close_run(writer, error) != 0 ||
            run_start(&writer->run, &key, writer->last_sequence + 1, error) != 0) {
            return -1;
        }
    }
    run_row(&writer->run);
    return 0;
}

int writer_value(FrameWriter *writer, RowSide side, const void *data, size_t size, Error *error)
{
    if (size > writer->row_limit || writer->run.row_size > writer->row_limit - size) {
        return error_set(error, ERROR_LIMIT, "a row of more than %zu bytes", writer->row_limit);
    }
    return run_value(&writer->run, side, data, size, error);
}

int writer_state(FrameWriter *writer, RowSide side, CellState state, Error *error)
{
    return run_state(&writer->run, side, state, error);
}

int writer_row_end(FrameWriter *writer, Error *error)
{
    if (run_row_end(&writer->run, error) != 0) {
        return -1;
    }
    writer->last_sequence++;
    return 0;
}

bool frame_writer_full(const FrameWriter *writer)
{
    return writer->batch.used + writer->run.size >= writer->frame_size && frame_writer_pending(writer);
}

StreamState frame_writer_state(const FrameWriter *writer)
{
    return writer->state;
}

bool frame_writer_pending(const FrameWriter *writer)
{
    return writer->batch.used > 0 || writer->run.count > 0;
}

int frame_writer_take(FrameWriter *writer, Bytes *frame, Error *error)
{
    if (writer->state == STREAM_BROKEN || !frame_writer_pending(writer)) {
        return refuse(writer, writer->state == STREAM_BROKEN ? "a frame" : "an empty frame", error);
    }
    if (close_run(writer, error) != 0) {
        return -1;
    }
    if (writer->state == STREAM_OPEN) {
        hash_batch(writer);
    }
    Bytes batch = bytes_of(writer->batch.data, writer->batch.used);
    if (seal_frame(&writer->seal, batch, writer->state == STREAM_OPEN, writer->keep, frame, error) != 0) {
        writer->state = STREAM_BROKEN;
        return -1;
    }
    writer->batch.used = 0;
    if (writer->batch.capacity > writer->keep) {
        buffer_free(&writer->batch);
    }
    return 0;
}

size_t frame_writer_footprint(const FrameWriter *writer)
{
    return sizeof *writer + writer->batch.capacity + writer->run.held + seal_footprint(&writer->seal);
}
