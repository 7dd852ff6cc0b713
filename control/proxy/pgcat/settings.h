/*
 * Settings of pgcat's file under which clients cannot be held without an error. Pure, no I/O.
 */
#pragma once

#include <jansson.h>

#include "error.h"

/* Refuses such settings; plan is of this text. */
int pgcat_check_settings(const char *text, const json_t *plan, int hold_limit_ms, Error *error) MUST_CHECK;
