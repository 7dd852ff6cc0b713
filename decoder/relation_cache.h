/*
 * What the decoder knows of the relations that changes name, kept over transactions.
 *
 * relation_cache_find gives the description that holds for the change at hand: it is computed from the
 * catalogs, as the historic snapshot shows them, on first use and again after an invalidation. Invalidations
 * only mark; nothing is freed inside their callbacks. A description is borrowed until the next call of
 * relation_cache_find.
 */
#pragma once

#include "compat.h"
#include "options.h"
#include "value.h"

typedef struct RelationCache RelationCache;

typedef struct CachedColumn {
    int attribute; /* index in the tuple descriptor */
    ValueEncoder encoder;
} CachedColumn;

/* The values of one row image, by attribute, as heap_deform_tuple fills them. */
typedef struct RowImage {
    Datum *values;
    bool *nulls;
} RowImage;

typedef struct RelationDefinition {
    bool published;        /* an ordinary or partitioned, permanent table of a user, and wanted */
    bool has_identity;     /* updates and deletes can be told apart by a key or by the whole row */
    RelationRecord record; /* what the wire says of it; record.columns[i] is columns[i] */
    uint64 fingerprint;    /* tells one version of the record from another on this connection */
    CachedColumn *columns;
    RowImage images[2]; /* by RowSide: room to deform a row into */
} RelationDefinition;

/* A cache whose memory hangs below parent, which frees it. Of options: binary, and which tables are wanted. */
RelationCache *relation_cache_new(MemoryContext parent, const Options *options);

RelationDefinition *relation_cache_find(RelationCache *cache, Relation relation);

/*
 * True once after the relation's definition became another than the one last sent (or none was): the caller
 * sends definition->record now.
 */
bool relation_cache_must_send(RelationCache *cache, const RelationDefinition *definition);
