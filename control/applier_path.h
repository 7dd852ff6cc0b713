/*
 * Where the applier is: the one of the same build, beside this program, goes before one on PATH.
 */
#pragma once

#include <limits.h>

#define APPLIER_NAME "penstock-applier"

/* Its path, in out, or its bare name for PATH. */
const char *applier_path(char out[PATH_MAX]);
