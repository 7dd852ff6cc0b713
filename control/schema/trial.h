/*
 * The source's schema, made once in a database of its own on the target's server, without a row, to see what the target
 * refuses. The database is dropped again. Nothing else is touched: what is about the database itself or about roles is not
 * tried.
 */
#pragma once

#include "schema.h"

/*
 * Calls road->refused for each object that the server refuses. *why_not is a reason, borrowed, when there is no trial: the role
 * may not make databases; else NULL. Of road, the migration names the database (penstock_trial_MIGRATION): one of that name that
 * an interrupted trial left is dropped first, one that is somebody else's is ERROR_STATE.
 *
 * Where roles are missing on the target, owners and grants are left out of it: each object would be refused for them.
 */
int schema_trial(const SchemaRoad *road, const char **why_not, Error *error) MUST_CHECK;
