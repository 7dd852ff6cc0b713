/* PostgreSQL 11: the state of one decoding session. */
#pragma once

#include "lib/stringinfo.h"
#include "replication/output_plugin.h"

typedef struct LogicalDecodingContext {
    MemoryContext context;
    struct ReplicationSlot *slot;
    struct XLogReaderState *reader;
    struct ReorderBuffer *reorder;
    struct SnapBuild *snapshot_builder;
    bool fast_forward;
    OutputPluginCallbacks callbacks;
    OutputPluginOptions options;
    List *output_plugin_options;
    void (*prepare_write)(struct LogicalDecodingContext *ctx, XLogRecPtr lsn, TransactionId xid,
                          bool last_write);
    void (*write)(struct LogicalDecodingContext *ctx, XLogRecPtr lsn, TransactionId xid, bool last_write);
    void (*update_progress)(struct LogicalDecodingContext *ctx, XLogRecPtr lsn, TransactionId xid);
    StringInfo out;
    void *output_plugin_private;
    void *output_writer_private;
    bool accept_writes;
    bool prepared_write;
    XLogRecPtr write_location;
    TransactionId write_xid;
} LogicalDecodingContext;
