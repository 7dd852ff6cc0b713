/*
 * Whether anything was defined in a database since a moment: quick enough to be asked while clients wait, where the comparison
 * of both sides (catalogs.h) is not, with very many tables.
 *
 *     catalog_mark(database, &mark, error)                 text, to be kept; the caller frees it
 *     … whatever happens …
 *     catalog_moved(database, readers, mark, &moved, error)
 *
 * moved may be true though all is as it was: a TRUNCATE, a REINDEX and a temporary table write into the catalogs, too. It is never
 * false when a definition of this database was made, changed or dropped by a transaction that ended after the mark. What stands
 * in catalogs of the whole server (roles, settings of databases) and subscriptions do not count.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"
#include "readers.h"

int catalog_mark(Database *database, char **mark, Error *error) MUST_CHECK;

/* readers help, where there are any (NULL: none) and database leads them; an error leaves readers that can only be freed. */
int catalog_moved(Database *database, Readers *readers, const char *mark, bool *moved,
                  Error *error) MUST_CHECK;
