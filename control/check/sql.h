/*
 * Pieces of SQL that several checks share.
 */
#pragma once

#include "left_behind.h"

/* Schemas whose objects are moved; n is pg_namespace. */
#define USER_SCHEMA "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'penstock')"

/* The object with this OID in this catalog came with an extension, which will bring it on the target too. */
#define IN_EXTENSION(catalog, oid)                                                                           \
    "EXISTS (SELECT FROM pg_depend e WHERE e.classid = '" catalog "'::regclass AND e.objid = " oid           \
    " AND e.deptype = 'e')"

/* Relations c of schemas n that are made on the target. */
#define USER_RELATIONS                                                                                       \
    "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND " USER_SCHEMA                              \
    " AND NOT " IN_EXTENSION("pg_class", "c.oid") " AND " IS_KEPT("c.oid")

#define RELATION_NAME "format('%I.%I', n.nspname, c.relname)"

/* A query that looks like one line, at most 60 characters long. */
#define SHORT_QUERY "left(regexp_replace(query, '\\s+', ' ', 'g'), 60)"
