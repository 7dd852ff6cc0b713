/*
 * The source notes in its WAL which transactions run: only at such a record can a slot let go of WAL. Its bgwriter writes one
 * every 15 seconds (LOG_SNAPSHOT_INTERVAL_MS), which is three short cycles.
 */
#pragma once

#include "copy.h"

/* Cycles shorter than so many seconds are worth a record of their own. */
#define RUNNING_SHORT_CYCLE 60

/*
 * As well as it can be done, in half a second at most: with all slots of the source in use, or beside a transaction that lasts
 * longer, its WAL is kept for as long as it would have been. On any thread.
 */
void running_note(const Copy *copy);
