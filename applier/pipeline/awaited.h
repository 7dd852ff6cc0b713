/*
 * Who waits for the applier, told by the stream itself: a switch writes a message of ours into the source's WAL and holds clients
 * until the target has all that is before it. It must not wait for the next regular report, nor for a batch that lingers.
 *
 *     awaited_came, for each record that was put ──► awaited_hurries ──► batches go out ──► awaited_passed ──► a report at once
 *
 * Anybody may write such a message (pg_logical_emit_message): it costs one report, and changes nothing else. Event loop only.
 */
#pragma once

#include <stdbool.h>

#include "lsn.h"
#include "reader.h"

/* All zero: nobody waits. */
typedef struct Awaited {
    Lsn first; /* commits of such messages: one that is waited for … */
    Lsn last;  /* … and the newest */
    bool came; /* since awaited_hurries was asked last */
} Awaited;

/* A record of the transaction that commits at that LSN. */
void awaited_came(Awaited *awaited, const Record *record, Lsn commit);

/* True once for what came: what is open is to be handed out as it is. */
bool awaited_hurries(Awaited *awaited);

/* True once when the low-water mark has passed somebody's message. */
bool awaited_passed(Awaited *awaited, Lsn low_water);
