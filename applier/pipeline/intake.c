/*
 * A keepalive says that everything which ends at or before its position has been sent. It is taken only when the frame
 * before it is used up, so it is true of what has been scheduled, too.
 */
#include "intake.h"

#include <stdlib.h>

#define BYTES_PER_TURN ((size_t)512 * 1024)

int intake_open(Intake *intake, const ReceiverOptions *receiver, DecoderOptions *decoder, Error *error)
{
    decoder->account = &intake->frame_bytes;
    return decoder_new(decoder, &intake->decoder, error) == 0 &&
                   receiver_open(receiver, &intake->receiver, error) == 0
               ? 0
               : -1;
}

void intake_close(Intake *intake)
{
    receiver_close(intake->receiver);
    frame_release(intake->frame);
    while (intake->ahead != NULL) {
        Ahead *ahead = intake->ahead;
        intake->ahead = ahead->next;
        frame_release(ahead->frame);
        free(ahead);
    }
    decoder_free(intake->decoder);
    intake->receiver = NULL;
    intake->frame = NULL;
    intake->decoder = NULL;
}

void intake_begin_turn(Intake *intake)
{
    intake->turn_bytes = 0;
}

bool intake_turn_is_long(const Intake *intake)
{
    return intake->turn_bytes >= BYTES_PER_TURN;
}

int intake_read(Intake *intake, Error *error)
{
    intake->came = false;
    return receiver_read(intake->receiver, &intake->bytes_wait, error);
}

/* What came is not what the wire format says. */
static Step damaged(Error *error)
{
    if (error->code == ERROR_PROTOCOL && error->hint[0] == '\0') {
        error_hint(
            error,
            "nothing of it was applied or confirmed, so that another start gets it anew; when the same "
            "comes again it is not the network: check the versions of penstock and of the decoder");
    }
    return STEP_FAILED;
}

/* *frame is NULL when the message has no record. */
static int decode_frame(Intake *intake, Bytes data, DecodedFrame **frame, Error *error)
{
    intake->wire_bytes += data.size;
    int status = decoder_decode(intake->decoder, data, frame, error);
    receiver_release(intake->receiver);
    if (status != 0) {
        return -1;
    }
    intake->came = true;
    intake->turn_bytes += (*frame)->footprint;
    if ((*frame)->count == 0) {
        frame_release(*frame);
        *frame = NULL;
    }
    return 0;
}

static void note_received(Intake *intake, Lsn lsn)
{
    intake->received = lsn > intake->received ? lsn : intake->received;
}

/* The next message that the socket gave, with its frame in *out if it has one. */
static Step take_message(Intake *intake, Ahead *out, Error *error)
{
    Received message;
    *out = (Ahead){.keepalive = LSN_INVALID};
    if (receiver_next(intake->receiver, &message, error) != 0) {
        return damaged(error);
    }
    switch (message.kind) {
    case RECEIVED_DATA:
        return decode_frame(intake, message.data, &out->frame, error) == 0 ? STEP_TOOK : damaged(error);
    case RECEIVED_KEEPALIVE:
        intake->asked |= message.reply_requested;
        out->keepalive = message.wal_end;
        return STEP_TOOK;
    case RECEIVED_NOTHING:
        break;
    }
    return STEP_EMPTY;
}

static size_t frame_size(const DecodedFrame *frame)
{
    return frame != NULL ? frame->footprint : 0;
}

size_t intake_unread_bytes(const Intake *intake)
{
    return intake->ahead_bytes + frame_size(intake->frame);
}

static Step take_ahead(Intake *intake, Ahead *out)
{
    Ahead *first = intake->ahead;
    *out = *first;
    intake->ahead = first->next;
    intake->ahead_bytes -= frame_size(first->frame);
    free(first);
    return STEP_TOOK;
}

Step intake_next(Intake *intake, Error *error)
{
    Ahead message;
    intake->keepalive = LSN_INVALID;
    Step step = intake->ahead != NULL ? take_ahead(intake, &message) : take_message(intake, &message, error);
    if (step == STEP_TOOK) {
        intake->frame = message.frame;
        intake->record = 0;
        intake->keepalive = message.keepalive;
        note_received(intake, message.keepalive);
    }
    return step;
}

static const Ahead *keep(Intake *intake, const Ahead *message)
{
    Ahead *kept = malloc(sizeof *kept);
    if (kept == NULL) {
        abort();
    }
    *kept = *message;
    intake->ahead_bytes += frame_size(message->frame);
    if (intake->ahead == NULL) {
        intake->ahead = kept;
    } else {
        intake->last_ahead->next = kept;
    }
    return intake->last_ahead = kept;
}

Step intake_look_ahead(Intake *intake, const Ahead **out, Error *error)
{
    Ahead message;
    Step step = take_message(intake, &message, error);
    if (step == STEP_TOOK) {
        *out = keep(intake, &message);
    }
    return step;
}

const Record *intake_record(const Intake *intake)
{
    return intake->frame != NULL ? &intake->frame->records[intake->record] : NULL;
}

void intake_pass(Intake *intake)
{
    const Record *record = intake_record(intake);
    if (record->kind == RECORD_BEGIN) {
        intake->transaction = record->begin.commit_lsn;
    } else if (record->kind == RECORD_COMMIT) {
        note_received(intake, record->commit.end_lsn);
    }
    if (++intake->record == intake->frame->count) {
        frame_release(intake->frame);
        intake->frame = NULL;
    }
}

size_t intake_bytes(const Intake *intake)
{
    return atomic_load_explicit(&intake->frame_bytes, memory_order_relaxed);
}
