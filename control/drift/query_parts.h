/*
 * What the queries of all kinds are made of. Private to this folder: queries.c has what nearly every database has, parts.sql
 * what few of these have beside, others.sql all other kinds.
 */
#pragma once

#include "left_behind.h"
#include "queries.h"

#define OURS(namespace)                                                                                      \
    namespace ".nspname !~ '^pg_' AND " namespace ".nspname NOT IN ('information_schema', 'penstock')"

#define NOT_OF_EXTENSION(catalog, oid)                                                                       \
    "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '" catalog "'::regclass AND e.objid = " oid       \
    " AND e.deptype = 'e')"

#define ROLE(oid)                                                                                            \
    "CASE WHEN " oid " = 10 THEN '(made the cluster)' WHEN " oid                                             \
    " = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(" oid ")::text END"

/* Parts that every object with an owner has. acl: its default's letter. */
#define OWNER(oid) "@owners@ SELECT o.object, 'owner', " ROLE(oid) " FROM o @end@"
#define GRANTS(acl, letter, owner)                                                                           \
    "@grants@ SELECT o.object, 'grants', (SELECT string_agg(concat(" ROLE(                                   \
        "a.grantee") ", ' ', a.privilege_type,"                                                              \
                     " CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END), ', ' ORDER BY " ROLE(        \
                         "a.grantee") " COLLATE \"C\", a.privilege_type COLLATE \"C\")"                      \
                                      " FROM aclexplode(coalesce(" acl ", acldefault(" letter ", " owner     \
                                      "))) a WHERE a.privilege_type <> 'MAINTAIN')"                          \
                                      " FROM o @end@"
#define COMMENT(catalog)                                                                                     \
    " UNION ALL SELECT o.object, 'comment', d.description FROM o JOIN pg_description d ON d.objoid = o.oid"  \
    " AND d.objsubid = 0 AND d.classoid = '" catalog "'::regclass"

#define RELATION "concat(n.nspname, '.', c.relname)"
