/* PostgreSQL 11: the step from a record of the WAL to transactions. */
#pragma once

struct LogicalDecodingContext;
struct XLogReaderState;

extern void LogicalDecodingProcessRecord(struct LogicalDecodingContext *ctx, struct XLogReaderState *record);
