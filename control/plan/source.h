/*
 * The source's side of the plan.
 */
#pragma once

#include "plan.h"

/* One row per table, with these columns. */
typedef enum PlanColumn {
    PLAN_SCHEMA,
    PLAN_TABLE,
    PLAN_OID,
    PLAN_COLUMNS,   /* quoted, with commas between; NULL for none */
    PLAN_BINARY,    /* t: every type has one binary form on both majors */
    PLAN_CONDITION, /* of an extension's table, or NULL */
    PLAN_KEY_CLASS, /* the catalog and the OID of the index of the replica identity, or its constraint … */
    PLAN_KEY_OBJECT,
    PLAN_KEY_SQL,      /* that makes the index of the replica identity, or NULL: it is left to the schema */
    PLAN_UNIQUE,       /* an index that is unique or an exclusion besides the key, or NULL */
    PLAN_PART_COLUMN,  /* NULL: whole */
    PLAN_PART_TYPE,    /* as which its values are compared */
    PLAN_PART_SCAN,    /* t: rows do not lie in its order */
    PLAN_ROUTE_SCHEMA, /* the table that its rows go through on the target, or NULL (partition_route.h) */
    PLAN_ROUTE_TABLE,
    PLAN_COLUMN_TYPES, /* the OIDs of the columns' types, where rows in binary have OIDs of users' types in them; else NULL */
    PLAN_CUTS, /* an array of the keys at which parts begin, without the first; NULL: whole */
    PLAN_COLUMN_COUNT,
} PlanColumn;

/* How the two databases treat text. */
typedef struct PlanEnds {
    bool other_encoding;      /* they have different ones */
    bool bytes_mean_the_same; /* they have one, and it is not SQL_ASCII */
    bool bytes_order;         /* the default collation of both is C */
} PlanEnds;

/* The caller frees *rows. */
int plan_read_uncut(Database *source, const PlanOptions *options, const PlanEnds *ends, PGresult **rows,
                    Error *error) MUST_CHECK;
int plan_read_source(Database *source, const PlanOptions *options, const PlanEnds *ends, PGresult **rows,
                     Error *error) MUST_CHECK;
