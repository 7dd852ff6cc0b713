/*
 * A process that outlives its command: made by two forks, and in a session of its own, so that it belongs to no terminal, no
 * process group and no parent of ours. It is a copy of the command, with its descriptors and what it does about signals, until it
 * says otherwise (disposition.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Runs work(context) in such a process, which ends when work returns. False, with errno, when there can be none. */
bool detach(void (*work)(void *context), void *context);

/*
 * Closes every descriptor but these: one that was left open would outlive those at its other end. Of the first three, those that
 * are closed lead to /dev/null then; false when they cannot.
 */
bool detach_close_all_but(const int *kept, size_t count);
