/*
 * Where two long lists differ, in few bytes: each is summed in 4096 buckets, and only what is in the first few buckets that
 * differ is fetched and looked at one by one.
 */
#pragma once

#include <libpq-fe.h>

#include "text.h"

#define BUCKETS 4096
#define BUCKETS_LISTED 16 /* of which what is in them is looked at, as a rule */

/*
 * The first buckets that differ, `most` of them, as an array literal behind what is in out; returns how many differ in all.
 * Both results have a row for each bucket that has something in it, in their order: its number, and two texts that are the
 * same on both sides when what is in it is.
 */
int buckets_find(const PGresult *source, const PGresult *target, int most, Text *out);
