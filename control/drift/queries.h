/*
 * The query of each kind of object: rows (object, part, value), one for each thing that may differ. Pure.
 */
#pragma once

#include "catalogs.h"
#include "text.h"

/* A list of arguments as all majors write it: from 14 on those of a procedure have IN before them (print_function_arguments). */
#define ARGUMENTS(list, kind)                                                                                \
    "CASE WHEN " kind " = 'p' THEN regexp_replace(" list ", '(^|, )IN ', '\\1', 'g') ELSE " list " END"

typedef struct CatalogQuery {
    const char *kind;
    const char *sql; /* with words in @ for what versions and options decide, and for what is often needed */
} CatalogQuery;

typedef struct CatalogQueries {
    const CatalogQuery *list;
    size_t count;
    bool
        parts; /* that few objects have: one without them has no row, and an earlier query says whether it is there */
} CatalogQueries;

extern const CatalogQueries catalog_queries, catalog_part_queries, catalog_other_queries;

/* The query for a server of this version. The caller frees *out with text_free. */
void catalog_query_write(const CatalogQuery *query, int version, const CatalogOptions *options, Text *out);
