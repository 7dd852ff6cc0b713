/*
 * What penstock proxy set changes in pgcat's file. Pure functions from text to text, no I/O.
 */
#pragma once

#include <jansson.h>

#include "proxy.h"

/* The one pool that is meant, and its one shard. */
typedef struct PgcatPlace {
    char pool[64];
    char shard[16];
} PgcatPlace;

/*
 * The pool called only, or, when that is NULL, the one that serves database. ERROR_STATE when there is not exactly one, or
 * when it has several shards.
 */
int pgcat_find_place(const char *text, const char *database, const char *only, PgcatPlace *out,
                     Error *error) MUST_CHECK;

/*
 * What has to change so that the place is as wished; see change.h. Refuses what would send writes where they must not go:
 * a default role other than primary, splitting without a replica or without the parser, splitting with prepared
 * statements that was not accepted, a mirror that is one of the servers. The caller frees *change.
 */
int pgcat_wish_change(const char *text, const char *file, const PgcatPlace *place, const ProxyWish *wish,
                      json_t **change, Error *error) MUST_CHECK;

/* text with the change made. ERROR_STATE when a key is not what the change says it was. The caller frees *out. */
int pgcat_change_text(const char *text, const json_t *change, char **out, Error *error) MUST_CHECK;
