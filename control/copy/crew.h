/*
 * A crew: the same function on several threads, and another beside them on the caller's; the first to fail stops the rest.
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
typedef int (*CrewIdle)(void *context, Error *error);

/*
 * Runs work on size threads, and idle, which may be NULL, on this one a few times a second until all have ended or one has
 * failed: it may look at stop, too, and would then fail for that reason alone. Gives -1 and the first error of them all.
 */
int crew_run(int size, CrewWork work, CrewIdle idle, void *context, atomic_bool *stop,
             Error *error) MUST_CHECK;
