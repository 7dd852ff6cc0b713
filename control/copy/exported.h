/*
 * The snapshots under which tables are copied: each the exported snapshot of a temporary slot, with the LSN
 * that says exactly which transactions it sees. One serves many tables; when it is older than max_age the
 * next table gets a new one, so that the source can vacuum. Any thread may adopt.
 */
#pragma once

#include "copy.h"
#include "lsn.h"

typedef struct Snapshots Snapshots;

/* copy is borrowed, and is read for connection strings and limits. The caller frees with snapshots_free. */
Snapshots *snapshots_new(const Copy *copy, const atomic_bool *stop);
void snapshots_free(Snapshots *snapshots);

/*
 * Opens a read-only transaction on worker, a connection to the source, that sees what the current snapshot
 * sees. *lsn is that snapshot's position. Waits, bounded, where a new snapshot has to be made.
 */
int snapshots_adopt(Snapshots *snapshots, Database *worker, Lsn *lsn, Error *error) MUST_CHECK;

/* Lets a snapshot go that has got old: called from time to time, while workers are busy with long tables. */
void snapshots_expire(Snapshots *snapshots);
