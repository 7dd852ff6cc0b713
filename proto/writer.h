/*
 * Writing the wire format: hand in records, take out frames.
 *
 *     writer_begin → (writer_relation | row calls | writer_truncate | …)* → writer_commit → writer_begin …
 *                         │ frame_writer_full()?                                │ when the caller likes
 *                         ▼                                                     ▼
 *                    frame_writer_take()                                  frame_writer_take()
 *
 * The writer numbers the changes, gathers consecutive rows of one kind and relation into a column-stored run,
 * keeps the transaction's checksum, and carries the zstd stream from frame to frame. It holds at most one
 * frame's worth of data plus one row. It does no I/O and never calls back: the caller takes a frame when one
 * is due and sends it.
 *
 * Memory is malloc'd (it must outlive PostgreSQL's contexts and errors); a longjmp out of the caller between
 * two calls leaves the writer consistent. One writer per connection, one thread.
 */
#pragma once

#include "error.h"
#include "wire.h"

typedef struct FrameWriter FrameWriter;

typedef struct FrameWriterOptions {
    WireCodec codec;
    int level;         /* zstd level, 1…19 */
    size_t frame_size; /* inflated bytes after which a frame is due */
    size_t row_limit;  /* a row of more bytes is refused (ERROR_LIMIT) and can be dropped; 0: none */
} FrameWriterOptions;

/* The caller frees *out with frame_writer_free. */
int frame_writer_new(const FrameWriterOptions *options, FrameWriter **out, Error *error) MUST_CHECK;
void frame_writer_free(FrameWriter *writer);

/* Before everything else. */
int writer_hello(FrameWriter *writer, const HelloRecord *record, Error *error) MUST_CHECK;
/* Between transactions or in one. */
int writer_heartbeat(FrameWriter *writer, const HeartbeatRecord *record, Error *error) MUST_CHECK;

int writer_begin(FrameWriter *writer, const BeginRecord *record, Error *error) MUST_CHECK;
int writer_relation(FrameWriter *writer, const RelationRecord *record, Error *error) MUST_CHECK;

/*
 * sequence is given by the writer; the one in the record is not read. A message that is not transactional may
 * also stand between transactions. A recopy takes the place of a row that was opened and could not be ended.
 */
int writer_truncate(FrameWriter *writer, const TruncateRecord *record, Error *error) MUST_CHECK;
int writer_recopy(FrameWriter *writer, const RecopyRecord *record, Error *error) MUST_CHECK;
int writer_message(FrameWriter *writer, const MessageRecord *record, Error *error) MUST_CHECK;

/* change_count and checksum are given by the writer. */
int writer_commit(FrameWriter *writer, const CommitRecord *record, Error *error) MUST_CHECK;

/*
 * One row: writer_row opens it, then each side that the change has is filled with one cell per column, in
 * column order (all of SIDE_OLD before or after SIDE_NEW, not mixed), then writer_row_end closes it. Inserts
 * have SIDE_NEW, deletes SIDE_OLD, updates SIDE_NEW and, unless old is OLD_NONE, SIDE_OLD. A row that was
 * opened and never ended (the caller met an error) is dropped by the next call that is not about cells.
 */
int writer_row(FrameWriter *writer, uint32_t relation, uint32_t column_count, ChangeKind kind, OldRow old,
               Error *error) MUST_CHECK;
int writer_row_end(FrameWriter *writer, Error *error) MUST_CHECK;

/* The next cell of a side: a value of size bytes, copied. */
int writer_value(FrameWriter *writer, RowSide side, const void *data, size_t size, Error *error) MUST_CHECK;
/* The next cell of a side: no value, but a state (CELL_NULL, CELL_UNCHANGED or CELL_ABSENT). */
int writer_state(FrameWriter *writer, RowSide side, CellState state, Error *error) MUST_CHECK;

/* True when the open frame has reached its size. */
bool frame_writer_full(const FrameWriter *writer);

/* Where the connection stands with what has been written so far. */
StreamState frame_writer_state(const FrameWriter *writer);

/* True when records wait for frame_writer_take. */
bool frame_writer_pending(const FrameWriter *writer);

/*
 * Closes the frame: *frame is the whole CopyData payload, borrowed until the next call on this writer.
 * ERROR_LIMIT when it would pass 1 GB less one byte.
 */
int frame_writer_take(FrameWriter *writer, Bytes *frame, Error *error) MUST_CHECK;

/* Bytes of memory held now, for counters and limits. */
size_t frame_writer_footprint(const FrameWriter *writer);
