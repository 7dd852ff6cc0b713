/*
 * Two databases' catalogs compared: what is there, and how it is defined. Quick with 100,000 tables: each side gives one hash
 * for each object, in one query for each kind of object, and only of objects whose hashes differ is the definition read.
 *
 *     CatalogOptions options = {.owners = true, .grants = true};
 *     catalog_compare(source, target, &options, &differences, error)      the caller frees with catalog_differences_free
 *
 * Compared is everything that pg_dump carries of a database: what queries.c, parts.sql and others.sql list. What differs
 * between majors for the same thing is written the same. Left out is what belongs to an extension (but for privileges that were
 * granted or revoked since), and what is Penstock's own.
 *
 * Nothing is locked for longer than it takes to read it: a definition that changes meanwhile is seen before or after.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "database.h"
#include "error.h"

/*
 * Sessions for a comparison of very many objects: a server's process keeps what pg_get_indexdef and its like look up until its session
 * ends (catcache, all majors), so others take over after so many.
 */
typedef struct CatalogSessions {
    /* Opens both; it closes those that it has opened before. */
    int (*renew)(void *context, Database **source, Database **target, Error *error);
    void *context;
} CatalogSessions;

typedef struct CatalogOptions {
    bool owners;                     /* who owns an object, and ... */
    bool grants;                     /* ... who may do what with it, are looked at */
    const CatalogSessions *sessions; /* NULL: those that are given serve for all */
    /* Set by catalog_compare: both sides show what only superusers see; and the version of the older one. */
    bool secrets;
    int oldest;
} CatalogOptions;

/* All strings are in the UTF-8 or the bytes that the servers gave, and belong to the list. */
typedef struct CatalogDifference {
    const char *kind; /* "table" */
    char *object;     /* "shop.orders", names as they are, not quoted */
    char *part;       /* "column price"; NULL when the object is on one side only */
    char *source;     /* what it is there; NULL when it is not there */
    char *target;
} CatalogDifference;

typedef struct CatalogDifferences {
    CatalogDifference *list;
    size_t count;
    size_t objects; /* that were compared */
} CatalogDifferences;

int catalog_compare(Database *source, Database *target, const CatalogOptions *options,
                    CatalogDifferences *out, Error *error) MUST_CHECK;
void catalog_differences_free(CatalogDifferences *differences);

/* Takes the differences out for which keep is false. */
void catalog_filter(CatalogDifferences *differences, bool (*keep)(const CatalogDifference *, void *context),
                    void *context);
