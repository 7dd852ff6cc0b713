/*
 * Where two long lists differ, in few bytes: each is summed in 4096 buckets, and only what is in the first few buckets that differ is
 * fetched and looked at one by one.
 */
#pragma once

#include <libpq-fe.h>

#include "text.h"

/*
 * The first buckets that differ, as an array literal behind what is in out; returns how many. Both results have a row for each bucket
 * that has something in it, in their order: its number, and two texts that are the same on both sides when what is in it is.
 */
int buckets_find(const PGresult *source, const PGresult *target, Text *out);
