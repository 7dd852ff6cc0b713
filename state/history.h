/*
 * How a migration went over time: penstock.history, a sample each ten seconds, thinned with age so that it stays small however
 * long the migration takes: every ten seconds for the last hour, every five minutes for the last two days, then every
 * hour, for at most four hundred days.
 *
 *     applier (reporter) ──► state_history_add ──► penstock.history ──► state_history ──► page, report
 *
 * Samples are made from what the target knows (penstock.applier, penstock.relation), in one statement.
 */
#pragma once

#include "database.h"

/* Adds a sample unless there is one of the last eight seconds, and thins the old ones now and then. */
int state_history_add(Database *target, const char *name, Error *error) MUST_CHECK;

/*
 * The samples of the last `hours` hours (0: all) as a JSON array of objects, oldest first, at most 2000: of more, every so many.
 * The caller frees *json.
 */
int state_history(Database *target, const char *name, double hours, char **json, Error *error) MUST_CHECK;
