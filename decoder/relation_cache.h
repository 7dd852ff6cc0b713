/*
 * What the decoder knows of the relations that changes name, kept over transactions, and what the connection's reader
 * knows of them.
 *
 *     definition = relation_cache_find(cache, relation)     for every change
 *     record = relation_cache_unsent(cache)                 not NULL: to be sent before the change
 *
 * relation_cache_find gives the definition that holds for the change at hand: it is read from the catalogs on first use and
 * again after an invalidation. A definition and a record are borrowed until the next call of relation_cache_find.
 *
 * Memory: 16 bytes a column and about 120 a relation, 30 MB for 100,000 relations of ten columns; at most 64 MB of
 * definitions, behind which they are read again, and 2^20 relations that the reader is known to have.
 */
#pragma once

#include "compat.h"
#include "options.h"
#include "relation_describe.h"

typedef struct RelationCache RelationCache;

/* A cache whose memory hangs below parent, which frees it. Of options: binary, and which tables are wanted. */
RelationCache *relation_cache_new(MemoryContext parent, const Options *options);

RelationDefinition *relation_cache_find(RelationCache *cache, Relation relation);

/*
 * The record of the relation that was found last, when the reader does not have this version of it; else NULL. It is then
 * taken to be sent. Not for relations that are not published.
 */
const RelationRecord *relation_cache_unsent(RelationCache *cache);
