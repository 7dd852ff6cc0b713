/*
 * Large objects, by their content.
 */
#pragma once

#include "verify.h"

/* Which of them differ, up to the limit. Nothing is said where they stay behind. */
int large_objects_verify(Verify *verify, Error *error) MUST_CHECK;
