/*
 * The question from which snapshots the rows of tables were copied.
 */
#pragma once

#include "database.h"
#include "relation.h"

/* The same of a table that was copied whole, under one snapshot: its end and its text, with a space between. */
int origin_of_whole(ApplyRelation *relation, const char *snapshot, Error *error) MUST_CHECK;

/*
 * Fills origin and copy_lsn of relations, which are known by their number. columns: by which each is copied in parts, or
 * NULL.
 */
int origin_lookup(Database *target, ApplyRelation *const *relations, const char *const *columns, size_t count,
                  Error *error) MUST_CHECK;
