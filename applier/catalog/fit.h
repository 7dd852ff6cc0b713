/*
 * Does a value keep its meaning when it goes from a column of the source into one of the target? Not "can it be cast":
 * 19.99 can be cast to int, and a numeric(12,4) goes into a numeric(12,2) without a word. Pure.
 *
 * What ends as an error when it does not fit, a number out of range for instance, is no loss.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "lookup.h"
#include "relation.h"

/* Tables whose values may change on the way, because the operator said so: "schema.table", not quoted; borrowed. */
typedef struct LossyTables {
    const char *const *names;
    size_t count;
    bool all;
} LossyTables;

bool fit_may_lose(const LossyTables *lossy, const SourceRelation *source);

/* Both types in words, "pg_catalog.numeric(12,4) … ", when values may change; the caller frees it. NULL: they do not. */
char *fit_loss(const SourceColumn *source, const FoundColumn *target);
