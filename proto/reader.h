/*
 * Reading the wire format: hand in the payload of a CopyData message, take out records.
 *
 *     frame_reader_new                          one for each connection
 *       └─► frame_reader_open, again and again  every message of the connection, in the order in which they came, none left out
 *       │     └─► rows_cell …                   records, for as long as the caller's arena lives; the message may be gone by then
 *       └─► frame_reader_free                   records of frames that were read stay
 *
 * It carries the zstd stream from frame to frame and checks that transactions are
 * whole (begin before rows, numbers without gaps, relations known, counts and checksum at commit). It trusts
 * nothing: sizes, counts and checksums are checked before use, and every error says at which byte of which
 * frame. After an error the reader refuses all further frames, because the zstd stream cannot be joined
 * again: a new connection, with a new reader, is the only way on, and the source sends again what was not confirmed. The same
 * after the process has died: a reader remembers nothing that outlives it.
 *
 * No I/O, no PostgreSQL headers, one thread per reader.
 */
#pragma once

#include "arena.h"
#include "error.h"
#include "wire.h"

typedef struct FrameReader FrameReader;

typedef enum RecordKind {
    RECORD_HELLO,
    RECORD_BEGIN,
    RECORD_RELATION,
    RECORD_ROWS,
    RECORD_TRUNCATE,
    RECORD_MESSAGE,
    RECORD_HEARTBEAT,
    RECORD_COMMIT,
    RECORD_RECOPY,
} RecordKind;

/* Cells that came together: those of one column of a run, one for each row; or those of a single row, one for each column. */
typedef struct CellList {
    const uint8_t *states; /* an entry for each cell, CellState; NULL when every cell has uniform_state */
    CellState uniform_state;
    const uint32_t *offsets; /* and one more: cell i is data[offsets[i] … offsets[i + 1]) */
    const uint8_t *data;
} CellList;

typedef struct RowsRecord {
    uint32_t relation;
    uint32_t column_count;
    uint32_t count;
    ChangeKind kind : 8;
    OldRow old : 8;
    uint64_t first_sequence;
    /* By RowSide: a list for each column; with a count of 1 the row's one list. NULL when the side is not there. Use rows_cell. */
    const CellList *sides[2];
} RowsRecord;

/* Most records are rows: what is larger than they are stands apart. */
typedef struct Record {
    RecordKind kind;
    union {
        HelloRecord *hello;
        BeginRecord begin;
        RelationRecord *relation;
        RowsRecord rows;
        TruncateRecord truncate;
        MessageRecord *message;
        HeartbeatRecord heartbeat;
        CommitRecord commit;
        RecopyRecord recopy;
    };
} Record;

typedef struct FrameReaderOptions {
    size_t max_raw_size; /* a frame that inflates to more is refused (ERROR_LIMIT) before it is inflated */
    Arena *
        relations; /* borrowed: where what relation records point to goes; NULL: where all else of their frame does */
} FrameReaderOptions;

/* The caller frees *out with frame_reader_free. */
int frame_reader_new(const FrameReaderOptions *options, FrameReader **out, Error *error) MUST_CHECK;
void frame_reader_free(FrameReader *reader);

/*
 * Reads one frame. *records (*count of them) and everything they point to live in arena. ERROR_PROTOCOL when
 * the bytes are not what the wire format says; when the wire version is another, the message says which side
 * to upgrade.
 */
int frame_reader_open(FrameReader *reader, Bytes frame, Arena *arena, Record **records, size_t *count,
                      Error *error) MUST_CHECK;

/*
 * For frames that stand one behind the other in a file: true, and the size of the frame that bytes begin with, when all of
 * it is there. False, and *size all of bytes, when more are needed or when this is no frame: opening it tells which.
 */
bool frame_measure(Bytes bytes, size_t *size);

/* The state of one cell; *value is set when it is CELL_VALUE. row < count and column < column_count of rows.
 */
static inline CellState rows_cell(const RowsRecord *rows, RowSide side, uint32_t column, uint32_t row,
                                  Bytes *value)
{
    const CellList *cells = rows->sides[side];
    uint32_t at = column;
    if (rows->count != 1) {
        cells += column;
        at = row;
    }
    CellState state = cells->states != NULL ? (CellState)cells->states[at] : cells->uniform_state;
    if (state == CELL_VALUE) {
        *value = bytes_of(cells->data + cells->offsets[at], cells->offsets[at + 1] - cells->offsets[at]);
    }
    return state;
}

/* Bytes of all values of a side; 0 when it is not there. */
static inline size_t rows_side_bytes(const RowsRecord *rows, RowSide side)
{
    const CellList *cells = rows->sides[side];
    if (cells == NULL || rows->count == 1) {
        return cells != NULL ? cells->offsets[rows->column_count] : 0;
    }
    size_t bytes = 0;
    for (uint32_t column = 0; column < rows->column_count; column++) {
        bytes += cells[column].offsets[rows->count];
    }
    return bytes;
}
