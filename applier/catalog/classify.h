/*
 * How a relation's rows are found and how its changes spread over lanes. Pure.
 */
#pragma once

#include "lookup.h"
#include "relation.h"

/* How rows are found: the source's replica identity decides. */
MatchClass classify_match(const SourceRelation *source);

/*
 * Why the changes of source must all stay in one lane, in words for people; the caller frees it. NULL: they
 * spread by key. columns: the target's column of each source column.
 */
char *classify_whole(const SourceRelation *source, const FoundTable *table,
                     const FoundColumn *const *columns);
