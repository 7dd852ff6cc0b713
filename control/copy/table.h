/*
 * How one table, or a range of its keys, is copied: the statements for both ends, and whether rows travel in binary.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "database.h"
#include "error.h"
#include "text.h"

typedef struct TableCopy {
    Text clear; /* on the target: removes the rows that come anew; NULL data: there are none */
    Text out;   /* on the source: COPY … TO STDOUT */
    Text in;    /* on the target: COPY … FROM STDIN */
    /* NULL data but for a table in both formats: */
    Text make;  /* on the target: the table that the rows go through */
    Text move;  /* from there to their place */
    Text empty; /* after that */
    Text drop;  /* at the end */
} TableCopy;

/* Lists for a table of which some columns go as text within a binary COPY (mixed.h). */
typedef struct TableMixed {
    const char *sent;    /* expressions, at the source */
    const char *staging; /* the name of the table in between */
    const char *staged;  /* its columns, as expressions over the place */
    const char *storage; /* how they are stored: actions of ALTER TABLE; NULL for none */
    const char *kept;    /* expressions over it, for the place */
} TableMixed;

typedef struct TableShape {
    const char *schema;
    const char *table;
    const char
        *route_schema; /* the table that rows go through on the target; NULL: the one of the same name */
    const char *route_table;
    bool others_first;       /* others that go through it have been copied in this transaction: they stay */
    const char *columns;     /* quoted, with commas between; "" for none */
    bool binary;             /* every type is FORMAT_PORTABLE, or mixed says how */
    const TableMixed *mixed; /* or NULL */
    const char *condition;   /* of an extension's configuration table: "WHERE …"; else NULL */
    bool referenced; /* a foreign key of another table on the target points to it: it cannot be truncated */
    const char
        *part_column;      /* NULL: all of it; else keys from first_key up to last_key, "" where it is open */
    const char *part_type; /* as which its values are compared */
    const char *first_key, *last_key;
    bool anew;  /* of a part: rows of it are there */
    bool empty; /* the source has no row of it */
} TableShape;

/* The statements for a table of this shape. Pure. The caller frees them with table_copy_free. */
void table_copy_build(const TableShape *shape, TableCopy *out);
void table_copy_free(TableCopy *copy);

typedef enum TableFit {
    TABLE_FITS,
    TABLE_STALE, /* truncated or rewritten after the snapshot: its rows of then are gone from it, so that the snapshot would
                                find it empty; or made, or named so, it or one of its columns, after it */
    TABLE_DEFINED_OTHERWISE, /* DDL that the snapshot sees has not been applied to the target yet: other columns, or a table that was
                                given the name of this one */
} TableFit;

typedef struct TableFound {
    TableFit fit;
    bool empty; /* it cannot have a row that any snapshot sees; false also where that would have to be read */
    int64_t rows; /* as many as the source's statistics say for a table of its size; 0: they do not say */
} TableFound;

/* One of a set of tables that is asked about at once. */
typedef struct TableAsked {
    const char *schema, *table; /* at the source */
    const char *columns;        /* as in TableShape */
    /* Where DDL is captured, the columns that the target has (penstock.relation.source_columns); else NULL. */
    const char *definition;
    /* Which of the source's tables the target's is (penstock.relation.source_oid); looked at where there is a definition. */
    const char *oid;
    TableFound found;
} TableAsked;

/*
 * Within the transaction that reads them: locks the tables against being truncated or rewritten, and looks whether they are what
 * is to be copied. ERROR_SOURCE when one is gone or has other columns than it is to have, where there is no definition of it. *at
 * is the table that an error, or the first fit that is not TABLE_FITS, is about; after a lock that was not had the transaction is
 * over. Two questions, however many tables.
 */
int tables_check(Database *source, TableAsked *tables, size_t count, size_t *at, Error *error) MUST_CHECK;

/*
 * Whether foreign keys of other tables on the target point to these, in referenced: a place for each. Parallel array literals of
 * their names.
 */
int tables_referenced(Database *target, const char *schemas, const char *tables, bool *referenced,
                      Error *error) MUST_CHECK;
