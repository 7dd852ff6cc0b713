/*
 * Relations whose set-based statements fail again and again, so that not every batch pays for the attempt. Pure; one per
 * worker. It never grows: a relation that is forgotten is only tried once more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relation.h"

#define FALLBACK_RELATIONS 64

typedef struct Fallback {
    const ApplyRelation *relation;
    uint64_t batch; /* in which it failed last */
    uint64_t pause; /* so many batches after that one go by rows at once */
} Fallback;

typedef struct Fallbacks {
    uint64_t batch; /* the one under way */
    Fallback entries[FALLBACK_RELATIONS];
    size_t next; /* the entry to give away */
} Fallbacks;

/* A batch begins. */
void fallbacks_begin(Fallbacks *fallbacks);

/* True when the relation's changes should go one by one without trying a set first. */
bool fallbacks_pausing(const Fallbacks *fallbacks, const ApplyRelation *relation);

/* A set-based statement of the relation failed in this batch. */
void fallbacks_failed(Fallbacks *fallbacks, const ApplyRelation *relation);
