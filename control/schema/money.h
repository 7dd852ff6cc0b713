/*
 * Does money mean the same on both sides? It is stored as a whole number of the smallest unit of lc_monetary's currency, and that
 * is how it is carried: where the other side's unit has another number of decimals, every amount becomes another. Inside of other
 * types (arrays, composite values, ranges) it may be carried as text, for which the notation has to be the same too.
 */
#pragma once

#include "database.h"

/* What is told of a column that would not keep its amounts: "schema.table.column", why, and a statement for the target. */
typedef void (*MoneyFound)(void *context, const char *column, const char *why, const char *fix);

/* Calls found for each such column of the source. Both sessions have their databases' own lc_monetary, as all of ours. */
int money_compare(Database *source, Database *target, MoneyFound found, void *context,
                  Error *error) MUST_CHECK;
