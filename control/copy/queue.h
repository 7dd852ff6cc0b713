/*
 * The list of tables, penstock.relation on the target, and the steps that the journal says are done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "lsn.h"
#include "tables.h"

/*
 * Adds the tables: parallel arrays of array literals. Those that are there already stay as they are, but for one that
 * had been left as dropped and has come back, and one that is another table by now, or has columns that are: these are
 * copied again. With only_with_place, those that the target does not have are left out.
 */
int queue_fill(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
               bool only_with_place, Error *error) MUST_CHECK;

/*
 * Of these tables those that are not in the list and not on the target either: made at the source since its schema was read. A list
 * for people, or NULL; the caller frees it.
 */
int queue_without_place(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
                        char **tables, Error *error) MUST_CHECK;

/*
 * Takes tables that wait to be copied again, but are not among these any more, out of the queue. The applier goes on
 * leaving out what the stream has of them.
 */
int queue_leave_dropped(Database *target, const char *migration, const char *const arrays[TABLE_ARRAYS],
                        Error *error) MUST_CHECK;

/* Which tables wait to be copied, at the source or not: a list for people, or NULL; the caller frees it. */
int queue_waiting(Database *target, const char *migration, char **tables, Error *error) MUST_CHECK;

/* The tables that are not copied, as statements_analyze takes them. */
int queue_analyze(Database *target, const char *migration, PGresult **out, Error *error) MUST_CHECK;

/* The last event that the journal has for a step of the copy: "begin", "done", "failed", or "" for none. */
int queue_step_event(Database *target, const char *migration, const char *step, char event[16],
                     Error *error) MUST_CHECK;

/* Whether the migration has a row. */
int queue_migration_exists(Database *target, const char *migration, bool *exists, Error *error) MUST_CHECK;
