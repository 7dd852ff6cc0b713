/*
 * Which batches must wait for which batches of other workers, because a truncate concerns the lanes of several. Pure.
 *
 * Batches of one worker follow each other anyway. See rule 3 in scheduler.c.
 */
#pragma once

#include "batch.h"

typedef struct Order Order;

/* What the order knows of one relation. Lives as long as the order. */
typedef struct RelationUse RelationUse;

Order *order_new(int workers);
void order_free(Order *order);

RelationUse *order_use(Order *order, const ApplyRelation *relation);

/* batch, which is open, has changes of the relation; true the first time that it has. */
bool order_rows(const Order *order, RelationUse *use, Batch *batch);

/* True when worker's batch of that number has changes of the relation. */
bool order_has(const RelationUse *use, int worker, uint64_t number);

/* batch truncates the relation: waits for all that other workers have of it, and what they get of it will wait. */
void order_truncate(const Order *order, RelationUse *use, Batch *batch);
