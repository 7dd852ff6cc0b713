/*
 * What was defined while the switch was being prepared: see defined.c. The step is in steps.h.
 */
#pragma once

#include <jansson.h>

#include "cutover.h"

/* Before the checks: keeps in detail, that of the preflight, what is defined by then on the side that clients leave. */
int defined_mark(Cutover *cutover, json_t *detail, Error *error) MUST_CHECK;
