/*
 * Who answers for a hold, and for how long: a gate whose command is gone does not hold for ever. Private to this folder.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

/* In memory that the gate's processes share. Zeroed: nobody answers, and the gate holds until it is told. */
typedef struct Guard {
    int64_t until;                /* on clock_ms; 0: not set */
    pid_t command;                /* who answers … */
    unsigned long long started;   /* … and when that process began, since pids come again */
    struct sockaddr_storage back; /* where the gate opens to */
} Guard;

/* command answers from now on, for limit_ms. */
void guard_set(Guard *guard, pid_t command, int limit_ms, const struct sockaddr_storage *back);

/* Its time is over and the command is gone: both, since a command that lives keeps its limits itself. */
bool guard_is_over(const Guard *guard);
