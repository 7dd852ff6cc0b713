/*
 * The memory that unfinished transactions take in the walsender before the server spills them to disk.
 *
 * From 13 on the server counts bytes, and one setting says how many. 11 and 12 count changes: at the 4,096th that a
 * transaction has in memory it writes all of them to pg_replslot, each with a system call, and reads them back with two
 * when the transaction commits: most of what a large transaction costs the source. The number is fixed in the server, but
 * the count beside it is not. So while there is room, the count of a transaction is set back before it gets there, and
 * put right before the server reads the changes to send them.
 *
 *     record ─► server queues the change, count + 1 ─► at 4,096: spill
 *                    collect_record: room? count = 0            │
 *     commit ─► collect_commit: nothing spilled? count = all    ▼
 *                    └──────► changes from memory          changes from disk
 *
 * A transaction that was ever spilled is left to the server's rule. Those that are rolled back need nothing: the server
 * frees what they hold, and looks for files that are not there.
 */
#pragma once

#include "compat.h"

typedef struct Collecting {
    Size limit;          /* bytes for the changes of all unfinished transactions; 0: the server's own rule */
    uint64 changes;      /* 11 and 12: at most so many are in memory, since they were last counted */
    int session_setting; /* 13 and later: what the session had */
} Collecting;

/* Begins with a limit in bytes. From 13 on a higher setting of the session stays. */
void collect_start(Collecting *collecting, const LogicalDecodingContext *ctx, int limit);

/* Gives the session its setting back. */
void collect_stop(const Collecting *collecting);

/* Before a change of a transaction is queued. Cheap: it is called for each record of the WAL that has a row. */
void collect_record(Collecting *collecting, const LogicalDecodingContext *ctx);

/* Before the changes of txn and its subtransactions are read. */
void collect_commit(ReorderBufferTXN *txn);
