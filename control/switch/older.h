/*
 * Whether the source may have gone back in time since the switch: see older.c. The step is in steps.h.
 */
#pragma once

#include <jansson.h>

#include "cutover.h"

/* When the way back begins: keeps in detail which run of the source's server that is. */
int older_note(Cutover *cutover, json_t *detail, Error *error) MUST_CHECK;
