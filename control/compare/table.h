/*
 * The comparison of one table by one pair of sessions. Private to this folder.
 */
#pragma once

#include "session.h"

/*
 * Fills the counts, the answer and, where rows differ, up to max_keys of them. What is wrong with this table
 * alone (a column missing on the target) becomes its problem; an error is returned for what ends the whole
 * comparison.
 */
int table_compare(ComparePair *pair, int max_keys, CompareTable *table, Error *error) MUST_CHECK;
