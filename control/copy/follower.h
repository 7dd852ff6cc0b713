/*
 * The applier that works beside a copy of more than one cycle: a child of this process, unless one runs already for the
 * migration. Should this process be killed, the child is asked to end.
 */
#pragma once

#include <stdbool.h>

#include "command.h"

typedef struct Follower Follower;

/* Nothing runs yet. settings is borrowed. The caller frees with follower_free, which ends the child. */
Follower *follower_new(const Settings *settings);
void follower_free(Follower *follower);

/*
 * Sees to it that an applier runs: starts the child unless it was started, or another has the migration's lock; again, when a
 * signal has ended it. An error when the child has ended by itself: what it said went to stderr.
 */
int follower_tend(Follower *follower, Error *error) MUST_CHECK;

/* Asks the child to end, and waits for that. */
void follower_stop(Follower *follower);
