/*
 * Where the stream stands is the writer's to know (frame_writer_state): before Hello, between transactions, or in one.
 *
 * A transaction is opened by its first record, not by the server's begin callback, so that one without
 * changes costs nothing on the wire. Its position is not lost: later frames and keepalives carry higher ones,
 * and after many transactions or changes without a frame a heartbeat says how far decoding has come. That may be inside
 * a transaction, when it goes on for long with nothing that the reader wants.
 */
#include "compat.h"
#include "output.h"

#include <stdio.h>

/* A message's length and header have to fit into the server's buffer of 1 GB. */
#define MAX_FRAME_SIZE (MaxAllocSize - 1024)

/* Changes, subtransactions and changed catalog rows together, behind which nothing that committed is made to wait. */
#define LARGE_TRANSACTION 1000

char *output_place(const Decoder *decoder)
{
    char *lsn = psprintf("LSN %X/%X", (uint32)(decoder->lsn >> 32), (uint32)decoder->lsn);
    if (decoder->relation == NULL) {
        return psprintf("At %s.", lsn);
    }
    const char *schema = get_namespace_name(RelationGetNamespace(decoder->relation));
    return psprintf("Table %s, %s.",
                    quote_qualified_identifier(schema, RelationGetRelationName(decoder->relation)), lsn);
}

static int sqlstate_of(const Error *error)
{
    switch (error->code) {
    case ERROR_CONFLICT:
        return ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    case ERROR_SOURCE:
        return ERRCODE_DATA_CORRUPTED;
    case ERROR_LIMIT:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case ERROR_SYSTEM:
        return ERRCODE_OUT_OF_MEMORY;
    default:
        return ERRCODE_INTERNAL_ERROR;
    }
}

void output_check(const Decoder *decoder, int status, const Error *error)
{
    if (status != 0) {
        ereport(ERROR, (errcode(sqlstate_of(error)), errmsg("penstock: %s", error->message),
                        errdetail_internal("%s", output_place(decoder)),
                        error->hint[0] != '\0' ? errhint("%s", error->hint) : 0));
    }
}

void output_flush(Decoder *decoder, LogicalDecodingContext *ctx)
{
    Bytes frame;
    Error error;
    output_check(decoder, frame_writer_take(decoder->writer, &frame, &error), &error);
    if (frame.size > MAX_FRAME_SIZE) {
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("penstock: a frame of %zu bytes is more than the server can send", frame.size),
                        errdetail_internal("%s", output_place(decoder))));
    }
    OutputPluginPrepareWrite(ctx, true);
    appendBinaryStringInfo(ctx->out, (const char *)frame.data, (int)frame.size);
    OutputPluginWrite(ctx, true);
    decoder->left_out = 0;
    decoder->turn.sent = true;
    decoder->turn.holds = false;
}

void output_flush_full(Decoder *decoder, LogicalDecodingContext *ctx)
{
    if (frame_writer_full(decoder->writer)) {
        output_flush(decoder, ctx);
    }
}

void output_flush_held(Decoder *decoder, LogicalDecodingContext *ctx)
{
    if (!frame_writer_pending(decoder->writer)) {
        return;
    }
    /* The server allows writing in the callbacks for the records of the turn, which are over, and not in this one. */
    ctx->accept_writes = true;
    ctx->write_location = decoder->turn.held_lsn; /* and not that of an empty transaction behind it */
    output_flush(decoder, ctx);
    ctx->accept_writes = false;
}

static uint32 server_version(void)
{
    return (uint32)strtoul(GetConfigOption("server_version_num", false, false), NULL, 10);
}

/* The options in force, and behind them why one that was asked for is not. */
static int describe(const Decoder *decoder, Bytes **out)
{
    char **texts;
    int count = options_describe(&decoder->options, &texts);
    Bytes *options = palloc(((Size)count + 2) * sizeof(Bytes));
    for (int i = 0; i < count; i++) {
        options[i] = bytes_of(texts[i], strlen(texts[i]));
    }
    const char *const off[][2] = {{"read_ahead", decoder->shortcuts.turns_off},
                                  {"collect_memory", decoder->shortcuts.collecting_off}};
    for (int i = 0; i < 2; i++) {
        if (off[i][1] != NULL) {
            const char *text = psprintf("%s_off=%s", off[i][0], off[i][1]);
            options[count++] = bytes_of(text, strlen(text));
        }
    }
    *out = options;
    return count;
}

void output_hello(Decoder *decoder, LogicalDecodingContext *ctx)
{
    if (frame_writer_state(decoder->writer) != STREAM_START) {
        return;
    }
    MemoryContext previous = MemoryContextSwitchTo(decoder->change_context);
    Bytes *options;
    int count = describe(decoder, &options);
    const char *encoding = GetDatabaseEncodingName();
    HelloRecord hello = {
        .plugin_version = bytes_of(PENSTOCK_VERSION, strlen(PENSTOCK_VERSION)),
        .wire_version = WIRE_VERSION,
        .server_version = server_version(),
        .encoding = bytes_of(encoding, strlen(encoding)),
        .option_count = (uint32_t)count,
        .options = options,
    };
    Error error;
    output_check(decoder, writer_hello(decoder->writer, &hello, &error), &error);
    MemoryContextSwitchTo(previous);
    output_flush(decoder, ctx);
}

const char *output_origin(const ReorderBufferTXN *txn)
{
    char *name = NULL;
    if (txn->origin_id == InvalidRepOriginId || !replorigin_by_oid(txn->origin_id, true, &name)) {
        return "";
    }
    return name;
}

void output_begin(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn)
{
    if (frame_writer_state(decoder->writer) == STREAM_OPEN) {
        return;
    }
    output_hello(decoder, ctx);
    const char *origin = output_origin(txn);
    BeginRecord begin = {
        .commit_lsn = txn->final_lsn,
        .commit_time = txn_commit_time(txn),
        .xid = txn->xid,
        .origin = bytes_of(origin, strlen(origin)),
    };
    Error error;
    output_check(decoder, writer_begin(decoder->writer, &begin, &error), &error);
}

void output_commit(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                   XLogRecPtr commit_lsn)
{
    CommitRecord commit = {
        .commit_lsn = commit_lsn,
        .end_lsn = txn->end_lsn,
        .commit_time = txn_commit_time(txn),
    };
    Error error;
    output_check(decoder, writer_commit(decoder->writer, &commit, &error), &error);
    if (decoder->turn.running) {
        output_flush_full(decoder, ctx);
        decoder->turn.holds = frame_writer_pending(decoder->writer);
        decoder->turn.held_lsn = txn->end_lsn;
    } else {
        output_flush(decoder, ctx);
    }
}

void output_flush_late(Decoder *decoder, LogicalDecodingContext *ctx)
{
    if (decoder->turn.holds && turn_is_late(&decoder->turn)) {
        output_flush(decoder, ctx);
    }
}

void output_before(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn)
{
    if (decoder->turn.holds && txn->nentries + txn->nsubtxns + txn->ntuplecids > LARGE_TRANSACTION) {
        output_flush(decoder, ctx);
    }
}

void output_left_out(Decoder *decoder, LogicalDecodingContext *ctx, XLogRecPtr lsn)
{
    decoder->left_out++;
    if (decoder->options.heartbeat == 0 || decoder->left_out < (uint64)decoder->options.heartbeat) {
        return;
    }
    output_hello(decoder, ctx);
    HeartbeatRecord heartbeat = {.lsn = lsn, .time = GetCurrentTimestamp()};
    Error error;
    output_check(decoder, writer_heartbeat(decoder->writer, &heartbeat, &error), &error);
    output_flush(decoder, ctx);
}
