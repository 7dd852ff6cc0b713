/*
 * penstock copy --join: another process, on whatever host, that takes jobs of a copy that runs.
 *
 * It takes no step and no snapshot of its own; the copy that it joins does. So it may come and go, and be killed, at any moment.
 */
#pragma once

#include "copy.h"

/*
 * copy's connections are open, and found is what its source is. Waits for the queue to be filled, and comes back when nothing is
 * left to copy.
 */
int join_run(Copy *copy, const Migration *found, Error *error) MUST_CHECK;
