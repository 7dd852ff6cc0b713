/*
 * The statement that mends a difference: what to run on the target so that it is defined as the source is.
 */
#pragma once

#include "catalogs.h"
#include "text.h"

/*
 * Writes it behind what is in out, without a semicolon at its end; nothing for a difference whose statement is not known (types,
 * grants, sequences, tables as a whole). Asks the side that has the definition: one query.
 */
int drift_mend(Database *source, Database *target, const CatalogDifference *difference, Text *out,
               Error *error) MUST_CHECK;
