/*
 * A keepalive says that everything which ends at or before its position has been sent. It is taken only when the frame
 * before it is used up, so it is true of what has been scheduled, too.
 */
#include "intake.h"

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
    decoder_free(intake->decoder);
    intake->receiver = NULL;
    intake->frame = NULL;
    intake->decoder = NULL;
}

void intake_begin_turn(Intake *intake)
{
    intake->turn_bytes = 0;
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

static Step take_frame(Intake *intake, Bytes data, Error *error)
{
    int status = decoder_decode(intake->decoder, data, &intake->frame, error);
    receiver_release(intake->receiver);
    if (status != 0) {
        return damaged(error);
    }
    intake->record = 0;
    intake->came = true;
    intake->turn_bytes += intake->frame->footprint;
    if (intake->frame->count == 0) {
        frame_release(intake->frame);
        intake->frame = NULL;
    }
    return STEP_TOOK;
}

static void note_received(Intake *intake, Lsn lsn)
{
    intake->received = lsn > intake->received ? lsn : intake->received;
}

Step intake_next(Intake *intake, Error *error)
{
    Received message;
    intake->keepalive = LSN_INVALID;
    if (receiver_next(intake->receiver, &message, error) != 0) {
        return damaged(error);
    }
    switch (message.kind) {
    case RECEIVED_DATA:
        return take_frame(intake, message.data, error);
    case RECEIVED_KEEPALIVE:
        note_received(intake, message.wal_end);
        intake->keepalive = message.wal_end;
        intake->asked |= message.reply_requested;
        return STEP_TOOK;
    case RECEIVED_NOTHING:
        break;
    }
    return STEP_EMPTY;
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
