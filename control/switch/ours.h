/*
 * Whose the switch is: see ours.c.
 */
#pragma once

#include "cutover.h"

/* With the lock: from here on it is this run's. */
int ours_take(Cutover *cutover, Error *error) MUST_CHECK;

/* Over a connection that is new: ERROR_STATE when another run has taken it since. Nothing before ours_take. */
int ours_check(Cutover *cutover, Error *error) MUST_CHECK;

/* A hook of the machine, before it goes back: is it still ours? True, too, where the target does not answer soon. */
bool ours_still(void *context, Error *error);
