/*
 * --only, --exclude and --schema-only (state/selection.h), for each command that takes them: a child of its argp, whose input is
 * a Selection. The child's input has to be set in ARGP_KEY_INIT of the parent.
 */
#pragma once

#include <argp.h>

#include "selection.h"

extern const struct argp selection_argp;
