/* PostgreSQL 11: what an output plugin gives to the server, and what it may call. */
#pragma once

#include "replication/reorderbuffer.h"

struct LogicalDecodingContext;

typedef enum OutputPluginOutputType {
    OUTPUT_PLUGIN_BINARY_OUTPUT,
    OUTPUT_PLUGIN_TEXTUAL_OUTPUT,
} OutputPluginOutputType;

typedef struct OutputPluginOptions {
    OutputPluginOutputType output_type;
    bool receive_rewrites;
} OutputPluginOptions;

typedef void (*LogicalDecodeStartupCB)(struct LogicalDecodingContext *ctx, OutputPluginOptions *options,
                                       bool is_init);
typedef void (*LogicalDecodeBeginCB)(struct LogicalDecodingContext *ctx, ReorderBufferTXN *txn);
typedef void (*LogicalDecodeChangeCB)(struct LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
                                      Relation relation, ReorderBufferChange *change);
typedef void (*LogicalDecodeTruncateCB)(struct LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
                                        int nrelations, Relation relations[], ReorderBufferChange *change);
typedef void (*LogicalDecodeCommitCB)(struct LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
                                      XLogRecPtr commit_lsn);
typedef void (*LogicalDecodeMessageCB)(struct LogicalDecodingContext *ctx, ReorderBufferTXN *txn,
                                       XLogRecPtr message_lsn, bool transactional, const char *prefix,
                                       Size message_size, const char *message);
typedef bool (*LogicalDecodeFilterByOriginCB)(struct LogicalDecodingContext *ctx, RepOriginId origin_id);
typedef void (*LogicalDecodeShutdownCB)(struct LogicalDecodingContext *ctx);

typedef struct OutputPluginCallbacks {
    LogicalDecodeStartupCB startup_cb;
    LogicalDecodeBeginCB begin_cb;
    LogicalDecodeChangeCB change_cb;
    LogicalDecodeTruncateCB truncate_cb;
    LogicalDecodeCommitCB commit_cb;
    LogicalDecodeMessageCB message_cb;
    LogicalDecodeFilterByOriginCB filter_by_origin_cb;
    LogicalDecodeShutdownCB shutdown_cb;
} OutputPluginCallbacks;

extern void OutputPluginPrepareWrite(struct LogicalDecodingContext *ctx, bool last_write);
extern void OutputPluginWrite(struct LogicalDecodingContext *ctx, bool last_write);
extern void OutputPluginUpdateProgress(struct LogicalDecodingContext *ctx);
