/*
 * The journaled run of the copy's steps: what is done is not done again, what was begun is told so.
 */
#pragma once

#include "copy.h"

/* Runs every step that the journal does not have as done. */
int steps_run(Copy *copy, Error *error) MUST_CHECK;
