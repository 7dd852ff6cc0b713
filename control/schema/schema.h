/*
 * The schema's road from the source to the target, by pg_dump and pg_restore: what must be there before the
 * rows (pre-data), and what is better made after them (post-data: indexes, constraints, triggers, rules,
 * materialized views' contents).
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"

typedef struct SchemaOptions {
    bool no_owner;
    bool no_privileges;
    bool no_tablespaces;
} SchemaOptions;

/* What a restore works with; all of it is borrowed. */
typedef struct SchemaRoad {
    const char *source_uri; /* connection strings for the programs, or NULL: libpq's defaults */
    const char *target_uri;
    const char *migration; /* in the programs' application_name */
    Database *source;      /* for catalogs */
    Database *target;
    int target_version; /* server_version_num */
    int jobs;           /* connections of pg_restore for post-data */
    SchemaOptions options;
    void (*idle)(void *context); /* called a few times a second while a program runs, or NULL */
    void *context;
} SchemaRoad;

/*
 * Restores a section. repeated: an earlier run began this and did not come to its end, so that anything from
 * nothing to all of it may be there.
 */
int schema_restore_pre_data(const SchemaRoad *road, bool repeated, Error *error) MUST_CHECK;
int schema_restore_post_data(const SchemaRoad *road, bool repeated, Error *error) MUST_CHECK;
