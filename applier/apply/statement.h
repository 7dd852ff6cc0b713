/*
 * The SQL that applies changes: its text and its parameters, made from a relation and a shape. Pure.
 *
 * A statement for many rows takes one array per parameter, one for a single row takes plain values; either
 * way in binary format. Parameters are numbered: first the columns of `set`, then the columns of `find`, each
 * ascending.
 */
#pragma once

#include <libpq-fe.h>

#include "image.h"
#include "relation.h"

typedef struct Shape {
    ChangeKind kind;
    bool single; /* one row */
    bool by_key; /* some rows, not joined but found by their one key column (statement_finds_by_key) */
    const ColumnWord *set; /* columns written; empty for deletes */
    const ColumnWord
        *find; /* columns that the row is found by; empty for inserts. MATCH_ROW: the others are null */
} Shape;

/* For what reads a whole table, until the end of the transaction or until the other one; as our sessions are otherwise. */
#define STATEMENT_READ_WHOLE                                                                                 \
    "SELECT pg_catalog.set_config('enable_hashjoin', 'on', true), "                                          \
    "pg_catalog.set_config('enable_nestloop', 'off', true), pg_catalog.set_config('enable_seqscan', 'on', "  \
    "true)"
#define STATEMENT_READ_INDEX                                                                                 \
    "SELECT pg_catalog.set_config('enable_hashjoin', 'off', true), "                                         \
    "pg_catalog.set_config('enable_nestloop', 'on', true), pg_catalog.set_config('enable_seqscan', 'off', "  \
    "true)"

/* Whether the shape, of an update or delete of some rows, may be by_key: these are many fewer than a join pays for. */
bool statement_finds_by_key(const ApplyRelation *relation, const Shape *shape);

/* How many parameters the statement has. */
int statement_parameter_count(const ApplyRelation *relation, const Shape *shape);

/* Fills types with the type of each parameter. */
void statement_parameter_types(const ApplyRelation *relation, const Shape *shape, Oid *types);

/* The statement. The caller frees it. */
char *statement_sql(const ApplyRelation *relation, const Shape *shape);

/* Empties the relations that are not NULL (truncate_statement.c says how); NULL when all are. The caller frees it. */
char *statement_truncate_sql(const ApplyRelation *const *relations, uint32_t count, bool restart_identity);
