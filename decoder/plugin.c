/*
 * The callbacks that the server calls, each a few lines around change.c and output.c.
 *
 * Memory. Three lifetimes:
 *   - the decoding context's own memory holds the Decoder; the server frees it at the end, and after any
 * error;
 *   - children of it for the relation cache (relation_cache.c), and one for scratch, reset after every change,
 * message and truncate, so that what output functions leave behind never adds up;
 *   - the frame writer is malloc'd, because zstd and the open frame must survive resets; shutdown frees it,
 * and a reset callback on the decoding context does where an error skips shutdown.
 *
 * Order. Between the server's begin and commit callbacks everything belongs to one transaction. Only messages
 * that are not transactional come outside, and never in the middle of another transaction's callbacks.
 *
 * Startup and shutdown write nothing: the server does not allow it. The slot's creation calls startup too,
 * without options, and decodes nothing.
 *
 * A callback may run within filter_by_origin, when that takes a turn (turn.h). It is the same there, except that what is
 * committed need not go out at once.
 */
#include "compat.h"

#include "change.h"
#include "decoder.h"
#include "output.h"
#include "unseen.h"

PG_MODULE_MAGIC;

extern void _PG_output_plugin_init(OutputPluginCallbacks *callbacks);

/* Safe to run twice: shutdown and the end of the context both call it. */
static void decoder_cleanup(void *arg)
{
    Decoder *decoder = arg;
    if (decoder->writer != NULL) {
        frame_writer_free(decoder->writer);
        decoder->writer = NULL;
        text_style_set(&decoder->session_style);
        collect_stop(&decoder->collecting);
    }
}

/* What is asked for and cannot be is off, and Hello says why. */
static void shortcuts_choose(Decoder *decoder, const LogicalDecodingContext *ctx)
{
    Shortcuts shortcuts = shortcuts_check(ctx);
    if (decoder->options.read_ahead != 0 && shortcuts.turns_off != NULL) {
        decoder->options.read_ahead = 0;
        decoder->shortcuts.turns_off = shortcuts.turns_off;
    }
    if (decoder->options.collect_memory != 0 && shortcuts.collecting_off != NULL) {
        decoder->options.collect_memory = 0;
        decoder->shortcuts.collecting_off = shortcuts.collecting_off;
    }
}

static void session_start(Decoder *decoder, const LogicalDecodingContext *ctx)
{
    FrameWriterOptions options = {
        .codec = (WireCodec)decoder->options.compression,
        .level = decoder->options.level,
        .frame_size = (size_t)decoder->options.frame_size,
        .row_limit = (size_t)decoder->options.row_limit,
    };
    Error error;
    output_check(decoder, frame_writer_new(&options, &decoder->writer, &error), &error);
    text_style_save(&decoder->session_style);
    shortcuts_choose(decoder, ctx);
    collect_start(&decoder->collecting, decoder->options.collect_memory);
    decoder->turn.limit = (uint32)decoder->options.read_ahead;
}

/* Prepared transactions are sent when they commit; a slot made for more would not get what it was made for. */
static void refuse_two_phase(const LogicalDecodingContext *ctx)
{
    if (slot_is_two_phase(ctx)) {
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("penstock: a slot with two-phase decoding cannot be read"),
                        errhint("Create the slot without it.")));
    }
}

static void on_startup(LogicalDecodingContext *ctx, OutputPluginOptions *output, bool is_init)
{
    output->output_type = OUTPUT_PLUGIN_BINARY_OUTPUT;
    refuse_two_phase(ctx);
    Decoder *decoder = MemoryContextAllocZero(ctx->context, sizeof(Decoder));
    decoder->context = ctx->context;
    ctx->output_plugin_private = decoder;
    if (is_init) {
        return;
    }
    MemoryContext previous = MemoryContextSwitchTo(ctx->context);
    options_parse(ctx->output_plugin_options, &decoder->options);
    MemoryContextSwitchTo(previous);
    decoder->change_context = AllocSetContextCreate(ctx->context, "penstock change", ALLOCSET_DEFAULT_SIZES);
    decoder->relations = relation_cache_new(ctx->context, &decoder->options);
    decoder->cleanup = (MemoryContextCallback){.func = decoder_cleanup, .arg = decoder};
    MemoryContextRegisterResetCallback(ctx->context, &decoder->cleanup);
    session_start(decoder, ctx);
}

static void on_shutdown(LogicalDecodingContext *ctx)
{
    if (ctx->output_plugin_private != NULL) {
        decoder_cleanup(ctx->output_plugin_private);
    }
}

/* Says which table was being read when an output function or the server itself fails. */
static void place_in_error(void *arg)
{
    const Decoder *decoder = arg;
    if (decoder->relation != NULL) {
        errcontext("sending a change of table \"%s\"", RelationGetRelationName(decoder->relation));
    }
}

/* What every callback that writes does before and after: scratch memory, place, error context. */
typedef struct CallbackScope {
    MemoryContext previous;
    ErrorContextCallback context;
} CallbackScope;

static Decoder *scope_enter(CallbackScope *scope, LogicalDecodingContext *ctx, Relation relation,
                            XLogRecPtr lsn)
{
    Decoder *decoder = ctx->output_plugin_private;
    CHECK_FOR_INTERRUPTS();
    decoder->relation = relation;
    decoder->lsn = lsn;
    scope->context =
        (ErrorContextCallback){.previous = error_context_stack, .callback = place_in_error, .arg = decoder};
    error_context_stack = &scope->context;
    scope->previous = MemoryContextSwitchTo(decoder->change_context);
    return decoder;
}

static void scope_leave(CallbackScope *scope, Decoder *decoder)
{
    MemoryContextSwitchTo(scope->previous);
    MemoryContextReset(decoder->change_context);
    error_context_stack = scope->context.previous;
    decoder->relation = NULL;
}

static void on_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
    CallbackScope scope;
    Decoder *decoder = scope_enter(&scope, ctx, NULL, txn->first_lsn);
    output_before(decoder, ctx, txn);
    collect_commit(txn);
    decoder->truncated_count = 0;
    decoder->captured = false;
    const PatternOption *origins = &decoder->options.skip_origins;
    decoder->skipped = origins->text != NULL && txn->origin_id != InvalidRepOriginId &&
                       pattern_list_matches(&origins->list, NULL, output_origin(txn));
    if (!decoder->options.skip_empty && !decoder->skipped) {
        output_begin(decoder, ctx, txn);
    }
    scope_leave(&scope, decoder);
}

static void on_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation relation,
                      ReorderBufferChange *row)
{
    CallbackScope scope;
    Decoder *decoder = scope_enter(&scope, ctx, relation, row->lsn);
    output_flush_late(decoder, ctx);
    if (decoder->skipped) {
        output_left_out(decoder, ctx, txn->final_lsn);
    } else {
        change_write(decoder, ctx, txn, relation, row);
    }
    scope_leave(&scope, decoder);
}

static void on_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, int nrelations,
                        Relation relations[], ReorderBufferChange *event)
{
    CallbackScope scope;
    Decoder *decoder = scope_enter(&scope, ctx, nrelations > 0 ? relations[0] : NULL, event->lsn);
    if (decoder->skipped) {
        output_left_out(decoder, ctx, txn->final_lsn);
    } else {
        truncate_write(decoder, ctx, txn, nrelations, relations, event);
    }
    scope_leave(&scope, decoder);
}

static void on_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
    CallbackScope scope;
    Decoder *decoder = scope_enter(&scope, ctx, NULL, commit_lsn);
    if (!decoder->skipped) {
        unseen_write(decoder, ctx, txn);
    }
    bool inside = frame_writer_state(decoder->writer) == STREAM_OPEN;
    /* Of a transaction that was left out the server may tell the reader at once; not before what is in hand. */
    update_progress(ctx, !inside && !frame_writer_pending(decoder->writer));
    if (inside) {
        output_commit(decoder, ctx, txn, commit_lsn);
    } else {
        output_left_out(decoder, ctx, txn->end_lsn);
    }
    scope_leave(&scope, decoder);
}

/* Prefixes of messages by which DDL is captured at the source begin so. */
#define CAPTURED "penstock.ddl"

static void on_message(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr message_lsn,
                       bool transactional, const char *prefix, Size message_size, const char *content)
{
    CallbackScope scope;
    Decoder *decoder = scope_enter(&scope, ctx, NULL, message_lsn);
    bool skipped = transactional && decoder->skipped;
    decoder->captured =
        decoder->captured || (transactional && strncmp(prefix, CAPTURED, strlen(CAPTURED)) == 0);
    if (!skipped && options_want_message(&decoder->options, prefix)) {
        MessageRecord record = {
            .transactional = transactional,
            .lsn = message_lsn,
            .prefix = bytes_of(prefix, strlen(prefix)),
            .content = bytes_of(content, message_size),
        };
        if (transactional) {
            output_begin(decoder, ctx, txn);
        } else {
            output_hello(decoder, ctx);
        }
        Error error;
        output_check(decoder, writer_message(decoder->writer, &record, &error), &error);
        if (transactional) {
            output_flush_full(decoder, ctx);
        } else {
            output_flush(decoder, ctx);
        }
    }
    scope_leave(&scope, decoder);
}

static bool on_filter_by_origin(LogicalDecodingContext *ctx, RepOriginId origin)
{
    Decoder *decoder = ctx->output_plugin_private;
    if (turn_take(decoder, ctx)) {
        return true;
    }
    collect_record(&decoder->collecting, ctx);
    return decoder->options.origin == ORIGIN_NONE && origin != InvalidRepOriginId;
}

void _PG_output_plugin_init(OutputPluginCallbacks *callbacks)
{
    callbacks->startup_cb = on_startup;
    callbacks->begin_cb = on_begin;
    callbacks->change_cb = on_change;
    callbacks->truncate_cb = on_truncate;
    callbacks->commit_cb = on_commit;
    callbacks->message_cb = on_message;
    callbacks->filter_by_origin_cb = on_filter_by_origin;
    callbacks->shutdown_cb = on_shutdown;
}
