/*
 * What a comparison in the hold has found, for people: see changed.c.
 */
#pragma once

#include "compare.h"
#include "text.h"

#define CHANGED_KEYS 3 /* of a table that differs, which are named */

/* Adds the tables that differ, with the first of their rows, or those for which there was no time. */
void changed_names(const CompareResult *result, bool late, Text *out);
