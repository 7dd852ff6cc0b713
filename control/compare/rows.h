/*
 * Which rows of a table differ, and in what. Private to this folder.
 */
#pragma once

#include "pair.h"
#include "table_query.h"

/*
 * Fills table->keys: up to max_keys differing rows, in no order. Those on both sides have the columns that differ; if
 * subject->key_parts says so, all have the values of their keys instead.
 */
int rows_find(ComparePair *pair, const CompareSubject *subject, int max_keys, CompareTable *table,
              Error *error) MUST_CHECK;
