/*
 * Where does the source's WAL end now? Asked once a second over a connection of its own, on a thread of its own, so that
 * it can be told of an idle source how far behind the target is: once everything up to such an end is durable there, the
 * target has all that the source had at that time. Nothing is written at the source.
 *
 * It is only for show: a source that does not let it in, or does not answer, costs nothing but the answer.
 */
#pragma once

#include <stdbool.h>

#include "error.h"
#include "log.h"
#include "lsn.h"

typedef struct Heartbeat Heartbeat;

typedef struct Beat {
    uint64_t number; /* ascending, from 1 */
    Lsn wal_end;     /* what is flushed at the source … */
    int64_t time;    /* … and when, by its clock: microseconds since 2000-01-01 */
} Beat;

/* Starts the thread; source and log are borrowed. The caller ends it with heartbeat_stop. */
int heartbeat_start(const char *source, const Log *log, Heartbeat **out, Error *error) MUST_CHECK;

/* The newest answer; number is 0 before the first. Any thread. */
Beat heartbeat_last(Heartbeat *heartbeat);

/* Ends the thread, cutting a question that is under way short, and frees. */
void heartbeat_stop(Heartbeat *heartbeat);
