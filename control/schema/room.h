/*
 * The target's disk is full while an object is made: that is not the object's fault, and goes away when somebody makes room.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "database.h"
#include "error.h"

/* Whether that is what error says, and the session can try once more. */
bool room_lacks(Database *session, const Error *error);

/*
 * Lets go of all that the session has on the target, and waits: for a second the first time (tries 0), then for twice as long
 * each time, for half a minute at most. Clears *error; ERROR_INTERRUPTED when a signal, or stop, ends the wait.
 */
int room_wait(Database *session, const atomic_bool *stop, int tries, Error *error) MUST_CHECK;
