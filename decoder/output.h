/*
 * From records to CopyData messages, and from errors of the writer to errors of the server.
 *
 * All functions here may raise an ERROR. The server lets the callbacks for records and changes write, and neither startup nor
 * shutdown nor filter_by_origin: there output_flush_held alone may be called, which turns take (turn.h).
 */
#pragma once

#include "decoder.h"

/* Raises the writer's error as the server's, naming relation and LSN, when status is not 0. */
void output_check(const Decoder *decoder, int status, const Error *error);

/* `Table "s"."t", LSN 0/1234.` for errdetail, in the current memory context. */
char *output_place(const Decoder *decoder);

/* The name of the origin that the transaction came through, or "". Reads the catalogs. */
const char *output_origin(const ReorderBufferTXN *txn);

/* Opens the transaction on the wire unless it is open; Hello goes first on a new connection. */
void output_begin(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn);

/* Sends Hello unless it was sent: to be called before anything that may stand between transactions. */
void output_hello(Decoder *decoder, LogicalDecodingContext *ctx);

/* Closes the transaction, sends it (in a turn: at its end, or when a frame is full), and leaves the stream between
 * transactions. */
void output_commit(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                   XLogRecPtr commit_lsn);

/* Counts something that sends nothing; sends a heartbeat when there were many. lsn: every
 * transaction that committed before it is sent. */
void output_left_out(Decoder *decoder, LogicalDecodingContext *ctx, XLogRecPtr lsn);

/* Sends the open frame: always, or only when it has its size. */
void output_flush(Decoder *decoder, LogicalDecodingContext *ctx);
void output_flush_full(Decoder *decoder, LogicalDecodingContext *ctx);

/* In a turn: sends what committed in it, when that has waited for long, or before a transaction that takes long. */
void output_flush_late(Decoder *decoder, LogicalDecodingContext *ctx);
void output_before(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn);

/*
 * At the end of a turn, or before a wait in it: sends what committed in it. Alone among these it may be called in filter_by_origin.
 */
void output_flush_held(Decoder *decoder, LogicalDecodingContext *ctx);
