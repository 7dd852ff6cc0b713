/*
 * Which target relation each relation of the stream leads to: what the catalog said, remembered by source relation.
 * Used by the event loop alone.
 */
#pragma once

#include <stdbool.h>

#include "catalog.h"

typedef struct Targets Targets;

/* catalog is borrowed. */
Targets *targets_new(Catalog *catalog);
void targets_free(Targets *targets);

/* False when source has not been resolved yet. *out is NULL for a relation that takes no part. */
bool targets_find(const Targets *targets, const SourceRelation *source, const ApplyRelation **out);

/* True when the table of that name was resolved before, under another definition. */
bool targets_is_changed(const Targets *targets, const SourceRelation *source);

/* Asks the catalog; blocks for one query. */
int targets_resolve(Targets *targets, const SourceRelation *source, Error *error) MUST_CHECK;

/* The relation, which was resolved, takes no part from here on. */
void targets_leave_out(Targets *targets, const SourceRelation *source);

/* Some relation waits for another lane class; targets_settle gives it, and catalog_settle says when that may be. */
bool targets_unsettled(const Targets *targets);
int targets_settle(Targets *targets, Error *error) MUST_CHECK;
