/*
 * What the wire says of a relation, and what the decoder needs for each of its rows: read from the catalogs as the
 * historic snapshot shows them.
 */
#pragma once

#include "compat.h"
#include "options.h"
#include "type_table.h"

/* What every row needs of a column. Kept small: there may be 100,000 relations. */
typedef struct CachedColumn {
    ValueEncoder *encoder; /* of its type, in the type table */
    int16 attribute;       /* index in the tuple descriptor */
    bool key;              /* of the replica identity */
} CachedColumn;

typedef struct RelationDefinition {
    uint32 id;         /* OID */
    bool published;    /* an ordinary or partitioned, permanent table of a user, and wanted */
    bool has_identity; /* updates and deletes can be told apart by a key or by the whole row */
    int natts;         /* of the tuple descriptor */
    uint32 column_count;
    ReplicaIdentity identity;
    uint64 fingerprint; /* tells one version of the record from another on this connection */
    CachedColumn columns[FLEXIBLE_ARRAY_MEMBER];
} RelationDefinition;

/* Bytes of a definition. */
Size relation_definition_size(const RelationDefinition *definition);

/*
 * Describes the relation: *record for the wire, in the current memory context except for what types hold, and the
 * definition in memory of its own in `context`. Of a relation that is not published *record is left alone.
 */
RelationDefinition *relation_describe(Relation relation, const Options *options, TypeTable *types,
                                      MemoryContext context, RelationRecord *record);
