/*
 * Who is told when something changes: a program that is run, or an address that gets a POST, for each event.
 *
 *     board's thread ──► notify_look(document) ──► events ──► one child at a time
 *
 * A reason is told when it has stood for as long as is asked for, and again when it is gone; a phase when it changes. Events that
 * come while a child runs wait, at most NOTIFY_WAITING of them; a child that takes longer than NOTIFY_SECONDS is ended. The
 * board's thread only.
 */
#pragma once

#include <jansson.h>

#include "log.h"

#define NOTIFY_WAITING 64
#define NOTIFY_SECONDS 30

typedef struct NotifyOptions {
    const char *to;     /* a shell command, or http:// or https://, which curl is run for */
    double after;       /* seconds that a reason must stand */
    double lag_seconds; /* more is a reason by itself; 0: no limit */
    double wal_bytes;   /* that the source keeps; the same */
    const Log *log;
} NotifyOptions;

typedef struct Notify Notify;

/* The caller ends it with notify_free. */
Notify *notify_new(const NotifyOptions *options);

/* document is NULL while the target does not answer. now is clock_seconds(). */
void notify_look(Notify *notify, const json_t *document, double now);

/* Ends a child that runs; what waits is not told any more. */
void notify_free(Notify *notify);

/* For tests: what would be told next, as JSON, and it is gone then; NULL when nothing waits. The caller frees it. */
char *notify_take(Notify *notify);
