/*
 * What a comparison in the hold has found, for people: see changed.c.
 */
#pragma once

#include "compare.h"
#include "cutover.h"
#include "text.h"

#define CHANGED_KEYS 3 /* of a table that differs, which are named */

/*
 * Compares the tables with these ids behind the fence: for --compare-limit at most, and for half of left_ms, which is what is left
 * of the hold. The caller frees *out with compare_free, whatever is returned.
 */
int changed_compare(const Cutover *cutover, const char *ids, int left_ms, CompareResult *out,
                    Error *error) MUST_CHECK;

/* Adds the tables that differ, with the first of their rows, or those for which there was no time. */
void changed_names(const CompareResult *result, bool late, Text *out);
