/*
 * A relation of the source meets the table of the same name on the target, column by column of the same name. What does
 * not fit is an error here, before any row of it is applied.
 */
#pragma once

#include "fit.h"
#include "lookup.h"

/*
 * Makes *out of what was found of the table; ERROR_CONFLICT or ERROR_STATE, with what to do, when they do not fit, values that
 * would change in tables that are not among lossy included. The
 * lane class is the one that is right for the table now; serial is left to the caller. The target is asked only for casts
 * that types does not know. The caller frees *out with match_free; it points to source and types.
 */
int match_relation(Database *target, Types *types, const LossyTables *lossy, const SourceRelation *source,
                   const FoundTable *table, ApplyRelation **out, Error *error) MUST_CHECK;
void match_free(ApplyRelation *relation);
