/*
 * Why in filter_by_origin: it is the one callback that comes before anything is done with a record of rows, and the server
 * does nothing more with a record that is filtered out. So the record at hand can be handed to the server once more, from
 * within, and those behind it after it. Commit records ask the filter as well, but to be filtered out means something
 * else there: only those of rows begin turns, and without rows there is nothing to be quick about.
 *
 * How far the WAL is flushed is asked only when what is known of it is used up, and used from the next record on: the
 * walsender asks before each record as well, and takes itself for caught up when it finds its position beyond that.
 */
#include "turn.h"

#include "output.h"

/* Bytes of flushed WAL that are left to the server's own way. */
#define TURN_MARGIN (64 * 1024)

#define TURN_TIME 20000 /* microseconds */

/* The clock is asked before every so many records. */
#define TURN_CLOCK 16

/* The walsender alone has progress to tell. */
static bool is_streaming(const LogicalDecodingContext *ctx)
{
    return ctx->update_progress != NULL;
}

static bool has_rows(XLogReaderState *reader)
{
    RmgrId manager = XLogRecGetRmid(reader);
    return manager == RM_HEAP_ID || manager == RM_HEAP2_ID;
}

static bool much_is_left(const Turn *turn, const XLogReaderState *reader)
{
    return turn->flushed > TURN_MARGIN && reader->EndRecPtr < turn->flushed - TURN_MARGIN;
}

static bool is_due(Turn *turn, const LogicalDecodingContext *ctx)
{
    if (turn->limit == 0 || turn->running || !is_streaming(ctx) || !has_rows(ctx->reader)) {
        return false;
    }
    if (much_is_left(turn, ctx->reader)) {
        return true;
    }
    turn->flushed = flushed_wal();
    return false;
}

/*
 * Stands before the server's own callback during a turn. That one waits until the page is flushed, and a record may go on for
 * long behind what is: then whatever committed in this turn is sent first.
 */
static int read_page(XLogReaderState *reader, XLogRecPtr page, int length, XLogRecPtr record,
                     char *buffer PAGE_CALLBACK_TIMELINE)
{
    LogicalDecodingContext *ctx = reader->private_data;
    Decoder *decoder = ctx->output_plugin_private;
    Turn *turn = &decoder->turn;
    if (page + (XLogRecPtr)length > turn->flushed) {
        turn->flushed = flushed_wal();
        if (page + (XLogRecPtr)length > turn->flushed) {
            output_flush_held(decoder, ctx);
        }
    }
    return turn->read_page(reader, page, length, record, buffer PAGE_CALLBACK_PASS_TIMELINE);
}

/* False at the end of what can be read. */
static bool next_record(XLogReaderState *reader)
{
    char *message = NULL;
    CHECK_FOR_INTERRUPTS();
    bool found = read_wal_record(reader, &message) != NULL;
    if (message != NULL) {
        ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED), errmsg("penstock: %s", message),
                        errdetail("The record behind %X/%X of the WAL cannot be read.",
                                  (uint32)(reader->EndRecPtr >> 32), (uint32)reader->EndRecPtr)));
    }
    return found;
}

bool turn_is_late(const Turn *turn)
{
    return turn->running && GetCurrentTimestamp() > turn->deadline;
}

bool turn_take(struct Decoder *decoder, LogicalDecodingContext *ctx)
{
    Turn *turn = &decoder->turn;
    if (!is_due(turn, ctx)) {
        return false;
    }
    turn->running = true;
    turn->sent = false;
    turn->deadline = GetCurrentTimestamp() + TURN_TIME;
    turn->read_page = reader_page_callback(ctx->reader);
    reader_page_callback(ctx->reader) = read_page;
    uint32 left = turn->limit;
    do {
        LogicalDecodingProcessRecord(ctx, ctx->reader);
    } while (--left > 0 && !turn->sent && (left % TURN_CLOCK != 0 || !turn_is_late(turn)) &&
             much_is_left(turn, ctx->reader) && next_record(ctx->reader));
    reader_page_callback(ctx->reader) = turn->read_page;
    turn->running = false;
    output_flush_held(decoder, ctx);
    return true;
}
