/*
 * Intake, the first stage: messages of the source become records, one after the other.
 *
 *     intake_open ──► intake_read (the socket has bytes) ──► intake_next ──► record, intake_pass ──► intake_next … ──► intake_close
 *
 * There is one cursor: a frame and the record in it that is next. What cannot be taken on stays there, and no other message
 * is taken meanwhile. Event loop only.
 */
#pragma once

#include <stdbool.h>

#include "decoder.h"
#include "receiver.h"
#include "step.h"

/* A message that was read ahead of the cursor: a frame, or the position of a keepalive. */
typedef struct Ahead {
    DecodedFrame *frame;
    Lsn keepalive;
    struct Ahead *next;
} Ahead;

typedef struct Intake {
    Receiver *receiver;
    Decoder *decoder;
    DecodedFrame *frame; /* the cursor: NULL when nothing is left … */
    size_t record;       /* … and the record of it that is next */
    Lsn transaction;     /* that the record belongs to: its commit */
    Lsn received;        /* the source has sent all that ends here, as far as it said */
    Lsn keepalive;     /* everything that ends at or before this has been taken; LSN_INVALID when none came */
    bool asked;        /* the source wants a status update */
    bool came;         /* a frame came since the socket was last read */
    bool bytes_wait;   /* the socket had more bytes than were read */
    Ahead *ahead;      /* what was looked at already, in its order */
    Ahead *last_ahead; /* while there is any */
    size_t ahead_bytes;        /* of its frames */
    uint64_t wire_bytes;       /* of all frames since intake_open, as they came */
    size_t turn_bytes;         /* of the frames that were decoded since intake_begin_turn */
    atomic_size_t frame_bytes; /* that all frames take which are alive */
} Intake;

/* Opens the stream. decoder->account is set here. What was made is taken down by intake_close, also after an error. */
int intake_open(Intake *intake, const ReceiverOptions *receiver, DecoderOptions *decoder,
                Error *error) MUST_CHECK;

/* Lets go of the stream. Frames that batches hold stay. */
void intake_close(Intake *intake);

void intake_begin_turn(Intake *intake);

/* So much was decoded that others should have their turn. */
bool intake_turn_is_long(const Intake *intake);

/* Of the frame at the cursor and of those that were looked at ahead of it: a large one at the cursor is much already. */
size_t intake_unread_bytes(const Intake *intake);

/* Reads what the socket has. */
int intake_read(Intake *intake, Error *error) MUST_CHECK;

/*
 * Takes the next message, which is only asked for when the cursor is used up. STEP_TOOK: a frame is at the cursor, or
 * a keepalive came (keepalive, asked). STEP_EMPTY: no whole message has been read.
 */
Step intake_next(Intake *intake, Error *error) MUST_CHECK;

/*
 * Reads one more message, whatever is at the cursor, and keeps it for intake_next. STEP_TOOK: *out is that message, borrowed
 * (neither member set: of no interest). STEP_EMPTY: no whole message has been read. Frames count in intake_bytes.
 */
Step intake_look_ahead(Intake *intake, const Ahead **out, Error *error) MUST_CHECK;

/* The record at the cursor, or NULL when it is used up. */
const Record *intake_record(const Intake *intake);

/* The record at the cursor has been taken on: goes to the next. */
void intake_pass(Intake *intake);

/* Bytes of the frames that are alive. */
size_t intake_bytes(const Intake *intake);
