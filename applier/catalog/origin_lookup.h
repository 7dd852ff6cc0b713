/*
 * The question from which snapshots the rows of tables were copied.
 */
#pragma once

#include "database.h"
#include "relation.h"

/*
 * Fills origin and copy_lsn of relations, which are known by their number. columns: by which each is copied in parts, or
 * NULL.
 */
int origin_lookup(Database *target, ApplyRelation *const *relations, const char *const *columns, size_t count,
                  Error *error) MUST_CHECK;
