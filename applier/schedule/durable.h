/*
 * What was durable when this run began: the position of each lane. By it a change that comes again is left out, and each
 * batch names the lanes that it moves. The rules of exactly-once are in durable.c. Pure.
 *
 *     durable_new → durable_has for each change, durable_move for each batch, durable_even before a class changes → durable_free
 */
#pragma once

#include <stdbool.h>

#include "batch.h"
#include "error.h"

typedef struct Durable Durable;

/* positions: one for each lane; copied. */
Durable *durable_new(const Position *positions, int lanes);
void durable_free(Durable *durable);

/*
 * Whether the change at position, which concerns lane and other (the same lane for nearly all), is durable. ERROR_STATE
 * when the two lanes disagree.
 */
int durable_has(const Durable *durable, Position position, int lane, int other, bool *has,
                Error *error) MUST_CHECK;

/* Whether every lane had everything up to position when this run began. */
bool durable_all(const Durable *durable, Position position);

/* Sets batch->last, and names in batch->lanes those that the batch moves there. Once for each batch, in their order. */
void durable_move(Durable *durable, Batch *batch, Position last);

/*
 * True when no lane began this run behind newest, unless all began at one: then all lanes stand at one point once every
 * lane has been moved to newest.
 */
bool durable_even(const Durable *durable, Position newest);
