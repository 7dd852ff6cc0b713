/*
 * OIDs and transaction IDs as numbers, in ascending order: for qsort and bsearch.
 */
#pragma once

#include "compat.h"

static inline int compare_numbers(const void *left, const void *right)
{
    uint32 a = *(const uint32 *)left, b = *(const uint32 *)right;
    return (a > b) - (a < b);
}
