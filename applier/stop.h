/*
 * SIGTERM and SIGINT as a descriptor to poll: readable from the first signal on. The signals are blocked in every
 * thread, so no handler runs and no flag is global.
 */
#pragma once

#include <stdbool.h>

typedef struct Stop {
    int fd;
    bool asked; /* a signal has come: stop_asked saw it */
} Stop;

/* Before any thread is started. Returns -1 with errno when the system refuses. */
int stop_init(Stop *stop);

/* Has a signal come? Never blocks. */
bool stop_asked(Stop *stop);

/* The same for whoever has no Stop at hand (QueryLimits.stop): looks for the signals that wait for this process. */
bool stop_pending(void);

/* Waits so long, or until a signal comes; true when one has. */
bool stop_wait(Stop *stop, int milliseconds);
