/*
 * A value that came as text becomes one of its type by the type's input function, and by nothing else. A cast does that only
 * where pg_cast has none: a user's CREATE CAST (text AS mytype) WITH FUNCTION may read text in a way of its own, and the
 * server's own from text to regclass knows no "-" (text_regclass, all majors). bpchar has the same bytes, and hardly ever such
 * a cast; the server has none from it but those to xml, which give what the input function gives.
 */
#pragma once

/*
 * An SQL expression: what is to stand between "value::" and the name of the type whose OID the expression t gives (of a domain,
 * that of the type beneath).
 */
#define TEXT_CAST_SQL(t)                                                                                     \
    "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_cast tc WHERE tc.castsource = 25 AND tc.casttarget = " t    \
    "        AND tc.castmethod = 'f' AND tc.casttarget <> 142)"                                              \
    "      AND NOT EXISTS (SELECT FROM pg_catalog.pg_cast tc WHERE tc.castsource = 1042 AND tc.casttarget "  \
    "= " t " AND tc.castmethod = 'f')"                                                                       \
    "     THEN 'pg_catalog.bpchar::' ELSE '' END"
