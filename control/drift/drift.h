/*
 * What of a migration's target is no longer defined as its source is, beside what the operator has chosen: the owners, grants
 * and objects that the copy left out, and constraints that it made NOT VALID, as its options said.
 */
#pragma once

#include "catalogs.h"
#include "text.h"

/*
 * Publications are of the server that they are on: they come with the copy, DDL about them does not travel, and a switch does
 * not ask for it. A comparison of both sides names them all the same.
 */
typedef enum DriftExtent { DRIFT_OF_WHAT_TRAVELS, DRIFT_OF_ALL } DriftExtent;

/* sessions as in CatalogOptions; target has the state. The caller frees *out with catalog_differences_free. */
int drift_find(Database *source, Database *target, const char *migration, DriftExtent extent,
               const CatalogSessions *sessions, CatalogDifferences *out, Error *error) MUST_CHECK;

/* "table shop.orders: column price is numeric(10,2) at the source, numeric(10,1) on the target", behind what is in out. */
void drift_describe(const CatalogDifference *difference, Text *out);
