/*
 * penstock-applier --dump: frames as text, for people.
 */
#pragma once

#include "error.h"

/* Prints every frame of the file (or "-"), one CopyData payload in hex per line, to stdout. */
int dump_frames(const char *path, Error *error) MUST_CHECK;
