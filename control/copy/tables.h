/*
 * Which tables of the source are to be moved, and which of them the target does not have yet.
 *
 * Ordinary tables and leaf partitions, inheritance parents and children; of extensions' tables those that the extension
 * marks as holding the user's data.
 */
#pragma once

#include "database.h"
#include "text.h"

/* One row per table: schema, name, oid, bytes, unlogged (t or f); by name. */
int tables_of_source(Database *source, PGresult **rows, Error *error) MUST_CHECK;

/* The first four columns of the rows as array literals, to be freed with tables_arrays_free. */
void tables_arrays(const PGresult *rows, Text arrays[4]);
void tables_arrays_free(Text arrays[4]);

/*
 * Tables of the source that are not, or not rightly, on the target: those that wait to be copied again, and those that
 * were made after the copy had listed the tables. A list for people, or NULL for none; the caller frees it.
 */
int tables_missing(Database *source, Database *target, const char *migration, char **tables,
                   Error *error) MUST_CHECK;
