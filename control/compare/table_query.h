/*
 * Builds the SQL of a comparison: pure, from names and types to text. The caller frees what is returned.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct CompareColumn {
    const char *name;
    const char *type; /* of pg_catalog, domains resolved: "float8"; "" for a type of the user's */
    bool key;         /* belongs to the primary key */
} CompareColumn;

typedef struct CompareSubject {
    const char *schema;
    const char *name;
    bool partitioned; /* on either side: read with what is below it */
    bool to_utf8;     /* the servers' encodings differ: hash the text in UTF-8 */
    const CompareColumn *columns;
    size_t column_count;
} CompareSubject;

/* One row: count, sum of hashes. */
char *query_total(const CompareSubject *subject);

/* count and sum of hashes for each of 4096 buckets of keys: bucket, count, sum. */
char *query_buckets(const CompareSubject *subject);

/* key, hash of every row in the buckets of the int[] $1, ordered by both. */
char *query_rows(const CompareSubject *subject);
