/*
 * Reduction of a relation whose rows are known by all that is in them (replica identity full), for one whose rows the target
 * can find only by reading the whole table: that is done once for all changes of a batch instead of once for each. Pure.
 */
#pragma once

#include "reduce.h"

/*
 * What the changes of one relation, in source order, come to: rows that go, found by all their columns, and rows that come.
 * NULL when they have to be applied one by one: the relation is not made for it (relation.h), a change does not say enough,
 * they are too few to be worth it, or the same row goes too often.
 */
Segment *reduce_full(Arena *arena, const ApplyRelation *relation, const Change *const *changes, size_t count);
