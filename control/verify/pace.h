/*
 * How fast this process compares: as --rate and `penstock throttle` say (governor.h), by the same brake as the copy's; where they say
 * nothing, as fast as it can, but for clients that are at work: for them its sessions step back (clients.h, table_query.h).
 *
 *     pace_open ──► pace_tick, now and then on the main thread; the work, pace_spend by each worker ──► pace_close
 */
#pragma once

#include "table_query.h"
#include "verify.h"

int pace_open(Verify *verify, Error *error) MUST_CHECK;
void pace_close(Verify *verify);

/* What the throttle says is looked at, and how old the snapshots are. */
int pace_tick(Verify *verify, Error *error) MUST_CHECK;

/* How a session reads rows of so many bytes, now. */
ComparePace pace_now(Verify *verify, double row_bytes);

/* After a piece of so many bytes: waits until they may have been read. False when the worker is to end meanwhile. */
bool pace_spend(Verify *verify, int64_t bytes, const atomic_bool *stop);
