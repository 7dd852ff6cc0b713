/*
 * What is kept of earlier passes of verify, and what is not.
 */
#pragma once

#include "database.h"

/*
 * Before a new pass: whatever runs is left, and what says nothing of today any more is deleted. What the last complete pass
 * found stays, and what was found different since and not found right; and all that was repaired. In the caller's transaction.
 */
int pass_forget(Database *target, const char *migration, Error *error) MUST_CHECK;
