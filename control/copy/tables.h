/*
 * Which tables of the source are to be moved, and which of them the target does not have yet.
 *
 * Ordinary tables and leaf partitions, inheritance parents and children; of extensions' tables those that the extension
 * marks as holding the user's data. Without what stays behind, where that is hidden in the source's session (left_behind.h).
 */
#pragma once

#include "database.h"
#include "text.h"

/* What a list of tables is carried in: schema, name, oid, bytes, columns as state/definition.h has them. */
#define TABLE_ARRAYS 5

/* One row per table: these, and unlogged (t or f); by name. */
int tables_of_source(Database *source, PGresult **rows, Error *error) MUST_CHECK;

/* These columns of the rows as array literals, to be freed with tables_arrays_free. */
void tables_arrays(const PGresult *rows, Text arrays[TABLE_ARRAYS]);
void tables_arrays_free(Text arrays[TABLE_ARRAYS]);

/*
 * Tables of the source that are not, or not rightly, on the target: those that wait to be copied again, those that
 * were made after the copy had listed the tables, and those that are other ones, or have other columns, than were copied. A
 * list for people, or NULL for none; the caller frees it.
 */
int tables_missing(Database *source, Database *target, const char *migration, char **tables,
                   Error *error) MUST_CHECK;
