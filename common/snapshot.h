/*
 * A snapshot of the source as a test on the transactions of the stream: which of them it sees.
 *
 *     parse ──► sees(xid, commit LSN), as often as one likes, on any thread ──► free
 *
 * Two kinds, made by different parsers and asked in the same way:
 *
 *   of a primary   the text of txid_current_snapshot(), "xmin:xmax:list", and an LSN read after it was taken. A commit record
 *                  lies in the WAL before others see the transaction (the flush lies between, and with synchronous standbys
 *                  their answer), so no LSN can stand for such a snapshot: only the set of transactions can.
 *   by LSN         sees what committed before it: of a standby whose replay was paused there, where visibility follows the
 *                  WAL, or of a slot, whose exported snapshot is built from the WAL.
 *
 * Transaction ids in the stream have 32 bits; those of a snapshot have their epoch. A transaction that the stream still has
 * is less than 2^31 ids away from any snapshot that is taken while the slot exists, because the slot holds the source's
 * oldest catalog xid, and the server stops before an id could be used twice within that distance.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "lsn.h"

typedef struct Snapshot {
    Lsn end; /* it sees no transaction whose commit record begins here or behind; by LSN: it sees all others */
    bool by_lsn;
    uint64_t xmin;     /* every transaction below is seen … */
    uint64_t xmax;     /* … none from here on … */
    uint64_t *running; /* … and none of these, which lie between: ascending, malloc'd */
    size_t running_count;
} Snapshot;

/*
 * Reads the text of txid_current_snapshot() or pg_current_snapshot(). end: pg_current_wal_insert_lsn(), read after the
 * snapshot was taken. ERROR_PROTOCOL for any other text; out is empty then. To be freed with snapshot_free.
 */
int snapshot_parse(const char *text, Lsn end, Snapshot *out, Error *error) MUST_CHECK;

/* The one that sees what committed before end. Needs no free. */
Snapshot snapshot_by_lsn(Lsn end);

void snapshot_free(Snapshot *snapshot);

/* Whether it sees the top-level transaction xid of the stream, whose commit record begins at commit_lsn. */
bool snapshot_sees(const Snapshot *snapshot, uint32_t xid, Lsn commit_lsn);

/* Whether each transaction below xid, one with epoch, had ended when the snapshot was taken. Not for one by LSN. */
bool snapshot_is_past(const Snapshot *snapshot, uint64_t xid);
