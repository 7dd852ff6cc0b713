/*
 * The types of the columns that are sent, each once: what the wire says of it, and the encoder of its values.
 *
 * Also remembers which rows of pg_type and pg_namespace went into that, so that the server's many invalidations of others
 * (every temporary table makes and drops two types) can be told from one that matters.
 *
 *     types = type_table_new(context)              as empty, and as often, as its owner likes
 *     type_table_find(types, type)                 borrowed until the table's context is reset
 *     type_table_uses(types, TYPEOID, hash)        within a callback of the server: reads nothing but the table
 *
 * Everything lies in the context that it was made in.
 */
#pragma once

#include "compat.h"
#include "value_encoder.h"
#include "wire.h"

typedef struct TypeTable TypeTable;

typedef struct ColumnType {
    Oid type; /* the key: first */
    Oid base; /* for a domain the type beneath it */
    Bytes schema;
    Bytes name;
    ValueEncoder encoder;
} ColumnType;

TypeTable *type_table_new(MemoryContext context, bool binary);

/* Reads the catalogs the first time. Raises the server's errors. */
ColumnType *type_table_find(TypeTable *types, Oid type);

/* The name of a namespace, "" where there is none: in the current memory context. */
const char *type_table_namespace(TypeTable *types, Oid namespace);

/* True when the row of the catalog cache (TYPEOID or NAMESPACEOID) was used; hash 0 is every row. */
bool type_table_uses(const TypeTable *types, int cache, uint32 hash);
