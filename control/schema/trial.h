/*
 * The source's schema, made once in a database of its own on the target's server, without a row, to see what the target
 * refuses. The database is dropped again, beside what comes next. Nothing else is touched: what is about the database
 * itself or about roles is not tried.
 */
#pragma once

#include "schema.h"

/* The database of a trial that is over, on its way to be dropped by a thread of its own: the server takes a while for that. */
typedef struct TrialEnd TrialEnd;

/* Waits for it, and frees end. ERROR_TARGET and others when the database is still there: the next trial drops it. NULL: nothing. */
int trial_end_wait(TrialEnd *end, Error *error) MUST_CHECK;

/*
 * Calls road->refused for each object that the server refuses. *why_not is a reason, borrowed, when there is no trial: the role
 * may not make databases; else NULL. Of road, the migration names the database (penstock_trial_MIGRATION): one of that name that
 * an interrupted trial left is dropped first, one that is somebody else's is ERROR_STATE.
 *
 * Where roles are missing on the target, owners and grants are left out of it: each object would be refused for them.
 *
 * *end is the caller's to wait for, whatever is returned; NULL: no database was made.
 */
int schema_trial(const SchemaRoad *road, const char **why_not, TrialEnd **end, Error *error) MUST_CHECK;
