/*
 * The statement that mends a difference: what to run on the one side so that it is defined as the other is.
 */
#pragma once

#include "catalogs.h"
#include "text.h"

/* Which side is as it should be: the one that applications work on. */
typedef enum DriftTruth { TRUTH_AT_SOURCE, TRUTH_ON_TARGET } DriftTruth;

/*
 * Writes it behind what is in out, without a semicolon at its end; nothing for a difference whose statement is not known (types,
 * grants, sequences, tables as a whole). Asks the side that has the definition: one query.
 */
int drift_mend(Database *source, Database *target, DriftTruth truth, const CatalogDifference *difference,
               Text *out, Error *error) MUST_CHECK;
