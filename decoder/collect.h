/*
 * The memory that unfinished transactions take in the walsender before the server spills them to disk.
 *
 * From 13 on the server counts bytes, and one setting says how many. 11 and 12 count changes: at the 4,096th that a
 * transaction has in memory it writes all of them to pg_replslot, each with a system call, and reads them back with two
 * when the transaction commits: most of what a large transaction costs the source. The number is fixed in the server, but
 * the count beside it is not. So while there is room, the count of a transaction is set back before it gets there, and
 * put right before the server spills or sends the changes.
 *
 *     record ─► collect_record: would it be the 4,096th? ─► no: nothing
 *                    │ yes                                 
 *                    ├─ room: count = 0                      the server queues it, and goes on
 *                    └─ none: counts = what there is         the server queues it, and spills all that it has
 *     commit ─► collect_commit: counts = what there is       the server sends from memory, or from disk
 *
 * All of it happens once for 4,096 changes of a transaction. One that was spilled is left to the server's rule. Those that
 * are rolled back need nothing: the server frees what they hold, and looks for files that are not there.
 *
 * On 11 and 12 memory for tuples is taken 8 MB at a time, and given back when everything in such a block is gone: less than
 * 16 MB is no memory at all.
 */
#pragma once

#include "compat.h"

typedef struct Collecting {
    Size limit;          /* bytes for the changes of all unfinished transactions; 0: the server's own rule */
    XLogRecPtr walked;   /* 11 and 12: where the memory of changes was last looked at */
    double share;        /* and how much it was then for each byte of tuples */
    int session_setting; /* 13 and later: what the session had */
} Collecting;

/* Begins with a limit in bytes. From 13 on a higher setting of the session stays. */
void collect_start(Collecting *collecting, int limit);

/* Gives the session its setting back. */
void collect_stop(const Collecting *collecting);

/* Before the changes of a record are queued. Cheap: it is called for each record of the WAL that has a row. */
void collect_record(Collecting *collecting, const LogicalDecodingContext *ctx);

/* Before the changes of txn and its subtransactions are sent. */
void collect_commit(ReorderBufferTXN *txn);
