/*
 * A crew: the same function on several threads, of which the first to fail stops the rest.
 */
#pragma once

#include <stdatomic.h>

#include "error.h"

typedef struct CrewMember {
    int number;
    void *context;           /* the same for all */
    const atomic_bool *stop; /* to be looked at: another one has failed */
} CrewMember;

typedef int (*CrewWork)(const CrewMember *member, Error *error);

/*
 * Runs work on size threads, and idle, which may be NULL, on this one a few times a second until all have
 * ended. Gives -1 and the first error when any of them failed.
 */
int crew_run(int size, CrewWork work, void (*idle)(void *context), void *context, atomic_bool *stop,
             Error *error) MUST_CHECK;
