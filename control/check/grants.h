/*
 * What a role of its own needs for copy and follow, as statements for psql on both sides.
 */
#pragma once

#include <stdio.h>

#include "command.h"
#include "database.h"

/* Writes them to out. role is the name of the role. Changes nothing. */
int grants_print(const Settings *settings, const char *role, FILE *out, Error *error) MUST_CHECK;
