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

/* How fast one connection carries rows, about. */
#define CONNECTION_BYTES_PER_SECOND 30000000

/* A query that looks like one line, at most 60 characters long. */
#define SHORT_QUERY "left(regexp_replace(query, '\\s+', ' ', 'g'), 60)"

/* Words that collations sort in different ways, and that every encoding has. */
#define SORTED_WORDS                                                                                         \
    "'a', 'A', 'b', 'B', 'ab', 'a b', 'a-b', "                                                               \
    "'a_b', 'aB', 'Ab', 'AB',"                                                                               \
    " 'a.b', 'a,b', 'a1', 'a10', 'a2', '1a', '10', '2', '-1', '+1', '_a', '@a', '#a', '(a)', 'a''b', "       \
    "'a\"b', 'a/b', 'a\\b', 'a:b',"                                                                          \
    " 'a;b', 'co-op', 'coop', 'co op', 'CO-OP', 'resume', 'Resume', 'zz', 'Z', 'z', '~', '|', 'a~', 'a|', "  \
    "'$1', '%', '&', '*', '=',"                                                                              \
    " '<', '>'"
