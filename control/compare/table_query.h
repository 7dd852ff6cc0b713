/*
 * Builds the SQL of a comparison: pure, from names and types to text. The caller frees what is returned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

typedef struct CompareColumn {
    const char *name;
    const char *form; /* as forms.h gives it: with FORM_VALUE where the value stands */
    bool bytes;       /* that is a bytea */
    const char *sent; /* as forms.h gives it, where the type is the same on both sides; or NULL */
    bool key;         /* belongs to the primary key, or the replica identity */
} CompareColumn;

/*
 * A session that reads rows sleeps for so many seconds after so many rows, or thereabouts; 0 rows: never. One that yields naps for two
 * milliseconds, and then for as long as others need: the later it woke, for want of a core, the longer.
 */
typedef struct ComparePace {
    double rows;
    double seconds;
    bool yields;
} ComparePace;

/* Only rows whose column of that name is in a range of keys; without a column: all. */
typedef struct QueryRange {
    const char *column;
    const char *type;                 /* of pg_catalog, as which they are compared */
    const char *first_key, *last_key; /* from here on, up to there; NULL or "" where it is open */
} QueryRange;

typedef struct CompareSubject {
    const char *schema;
    const char *name;
    bool partitioned;      /* on either side: read with what is below it */
    bool to_utf8;          /* the servers' encodings differ: hash the text in UTF-8 */
    bool sent;             /* rows are hashed as send functions give them: text is sent as it is stored */
    bool careful;          /* a row may be longer than a text can be: each value is hashed by itself */
    const char *condition; /* "WHERE …" of an extension's table, or NULL */
    QueryRange range;
    int sample;       /* only so many of 10,000 rows, by the hash of their key; 0: all */
    ComparePace pace; /* of query_totals */
    bool key_parts;   /* of rows that differ the key's values are wanted, too */
    const CompareColumn *columns;
    size_t column_count;
} CompareSubject;

/* " AND …" over the table's alias t, for each end of the range that is not open. */
void query_range_add(Text *sql, const QueryRange *range);

/* A row for each of count subjects: its number from 0 on, count, sum of hashes; how often it slept, where they have a pace: all, or
 * none. */
char *query_totals(const CompareSubject *const *subjects, int count);

/* count and sum of hashes for each of 4096 buckets of keys: bucket, count, sum. */
char *query_buckets(const CompareSubject *subject);

/* Of every row in the buckets of the int[] $1: key, shortened; hash of the key; hash of the row. Ordered by both hashes. */
char *query_rows(const CompareSubject *subject);

/*
 * Of the rows in the buckets of $1 whose keys' hashes are in the int8[] $2: hash of the key, and of each column the beginning of
 * its value (null for null) and a hash of all of it. Ordered by the first.
 */
char *query_values(const CompareSubject *subject);

/* Of the same rows: hash of the key, and the values of the key's columns as text. NULL where there is no key. */
char *query_keys(const CompareSubject *subject);

/* The hash of a row, as an expression over the table's alias t. */
char *query_row_hash(const CompareSubject *subject);

/* The same of its key, or of the row where there is none; and what is shown of it. */
char *query_key_hash(const CompareSubject *subject);
char *query_key_shown(const CompareSubject *subject);
