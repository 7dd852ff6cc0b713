/*
 * Who else is touched by the switch: named in the preflight, with what it means for them; nobody is refused.
 */
#pragma once

#include "cutover.h"

/* Hot standbys, consumers of other slots and listeners, on the side that clients leave. */
int named_others(Cutover *cutover, Error *error) MUST_CHECK;

/* The role that reads the slot, if it is no superuser; NULL otherwise. The caller frees *role. */
int named_stream_role(Database *leaving, const char *slot, char **role, Error *error) MUST_CHECK;
