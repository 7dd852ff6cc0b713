/*
 * What must hold before the first step: an empty target or a copy of ours to go on with, the right source.
 */
#pragma once

#include "copy.h"

/* Fills copy->migration from the state, or anew. copy's connections are open, and to two databases, and we have its lock
 * (copy_look_first). */
int start_copy(Copy *copy, Error *error) MUST_CHECK;

/* What a migration from this source would be. copy's connections are open. */
int start_describe(Copy *copy, Migration *out, Error *error) MUST_CHECK;
