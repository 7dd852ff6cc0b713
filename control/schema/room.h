/*
 * The target's disk is full while an object is made, or while a step of the copy is at work: that is nobody's fault, and goes away
 * when somebody makes room.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "database.h"
#include "error.h"

/* Whether that is what error says, and the session can try once more. */
bool room_lacks(Database *session, const Error *error);

typedef struct RoomWait {
    const atomic_bool *stop;     /* or NULL */
    void (*idle)(void *context); /* a few times a second, on the calling thread; or NULL */
    void *context;
} RoomWait;

/*
 * Lets go of all that the session has on the target, and waits: for a second the first time (tries 0), then for twice as long
 * each time, for half a minute at most. Clears *error; ERROR_INTERRUPTED when a signal, or stop, ends the wait.
 */
int room_wait(Database *session, const RoomWait *how, int tries, Error *error) MUST_CHECK;
