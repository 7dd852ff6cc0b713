/*
 * The hold ends by itself: a helper process that undoes when the one that holds the clients is gone.
 *
 *     the command dies while clients wait       at the hold's limit, the helper undoes; until then --resume and --undo may
 *     the command hangs (20 s past the limit)   the helper kills it, and undoes
 *     the command dies while it undoes          the helper goes on with that at once
 *     the command ends, and could not undo      the helper goes on with that
 *     clients were let go, or all is undone     the helper ends
 *
 * It is a copy of the command, made before the command has threads, in a session of its own: no closed terminal, and no kill -9
 * of the command, reaches it. It has none of the command's connections, knows its options with the passwords in them, and
 * hears from it through a pipe, whose end tells it of the death. What it does is what penstock cutover --undo does, of this
 * round and no other, again and again until it is done; the output goes to a file beside the ledger (LEDGER.log).
 */
#pragma once

#include <stdint.h>

#include "error.h"

typedef struct Watchdog Watchdog;

typedef struct WatchdogWork {
    /* Undoes the round; 0: it is undone, or there is nothing to undo any more. -1: to be tried again. */
    int (*undo)(void *context, const char *round);
    void *context;
    const char *log_path; /* NULL: nowhere */
} WatchdogWork;

/* NULL when there can be none: error says why. Everything in work is copied with the process. */
Watchdog *watchdog_start(const WatchdogWork *work, Error *error);

/* Clients wait, until hold_end (on clock_ms) at the latest. */
void watchdog_holds(Watchdog *watchdog, const char *round, int64_t hold_end);

/* The command is undoing: it has two minutes for that. */
void watchdog_undoes(Watchdog *watchdog);

/* Nothing has to be undone any more; frees watchdog, which may be NULL. */
void watchdog_end(Watchdog *watchdog);

/* We end, and what we were undoing is not done: the helper goes on. Frees watchdog, which may be NULL. */
void watchdog_leave(Watchdog *watchdog);
