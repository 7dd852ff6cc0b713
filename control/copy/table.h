/*
 * How one table is copied: the statements for both ends, and whether rows travel in binary.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"
#include "text.h"

typedef struct TableCopy {
    Text clear; /* on the target: empties the table (or, of an extension's table, the rows that are the
                   user's) */
    Text out;   /* on the source: COPY … TO STDOUT */
    Text in;    /* on the target: COPY … FROM STDIN */
} TableCopy;

typedef struct TableShape {
    const char *schema;
    const char *table;
    const char *const *columns; /* as they are named, in order */
    int column_count;
    bool binary;           /* every type is FORMAT_PORTABLE */
    const char *condition; /* of an extension's configuration table: "WHERE …"; else NULL */
    bool referenced; /* a foreign key of another table on the target points to it: it cannot be truncated */
} TableShape;

/* The statements for a table of this shape. Pure. The caller frees them with table_copy_free. */
void table_copy_build(const TableShape *shape, TableCopy *out);

/* Reads the shape from the catalogs and builds the statements. */
int table_copy_describe(Database *source, Database *target, const char *schema, const char *table,
                        TableCopy *out, Error *error) MUST_CHECK;
void table_copy_free(TableCopy *copy);
