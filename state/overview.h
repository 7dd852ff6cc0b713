/*
 * The whole state of a migration as one JSON document, for `penstock status` and whoever else shows it, and
 * the two things that `penstock finish` needs beyond state.h.
 */
#pragma once

#include "state.h"

/*
 * {"now", "migration": {…} or null, "applier": {…} or null, "copy": {…}, "lanes": {…}, "accepted": {…}, "journal": [last 10,
 * oldest first], "held": {…} or null, "fence": {…} or null}, all of one moment. LSNs are text, times ISO 8601 in UTC, sizes and
 * counts numbers. The schema must exist (state_exists). The caller frees *json.
 */
int state_overview(Database *target, const char *name, char **json, Error *error) MUST_CHECK;

/*
 * [{"table", "state", "bytes", …}], at most so many (0: all): those that have to be copied again, those that are copied
 * now, then the busiest first. The caller frees it.
 */
int state_tables(Database *target, const char *name, int limit, char **json, Error *error) MUST_CHECK;

/*
 * {"count", "tables": [as above]}: of those whose name has search in it, limit from offset on, by name, bytes, rows (applied) or
 * copied_rows, or in the order above for "". The caller frees it.
 */
int state_tables_page(Database *target, const char *name, const char *search, const char *sort, int offset,
                      int limit, char **json, Error *error) MUST_CHECK;

/* The last 5000 steps, oldest first. The caller frees it. */
int state_journal_list(Database *target, const char *name, char **json, Error *error) MUST_CHECK;

/*
 * Removes all that is known of the migration, but for its journal when that is to be kept. With the last migration goes
 * the schema; where a journal is left, everything but that, and later migrations go on with it.
 */
int state_forget(Database *target, const char *name, bool keep_journal, Error *error) MUST_CHECK;
