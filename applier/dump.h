/*
 * penstock-applier --dump: frames as text, for people.
 */
#pragma once

#include "error.h"

/* Prints every frame of the file (or "-") to stdout: what pg_recvlogical wrote, or lines of hex. */
int dump_frames(const char *path, Error *error) MUST_CHECK;
