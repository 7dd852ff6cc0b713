/*
 * Which types travel in binary in a COPY: those whose binary form is the same on both majors and has no OID of the server in
 * it. As text a bytea of more than half a gigabyte cannot be sent (its output would be larger than a palloc), nor a "char"
 * above 127 be read where the encoding has more than one byte: so a column that has to be text does not make its neighbours text
 * where that matters (copy/mixed.h).
 */
#pragma once

/*
 * An SQL expression for a type t of pg_type that is no domain, with e the pg_type of its elements or NULL:
 *
 *     built in            where it can be sent, but for reg* types, whose OIDs mean nothing elsewhere
 *     an enum             its send function sends the label
 *     a range of a user's its send function sends the bounds as the subtype's does
 *     an extension's      by name: those whose form has not changed since 11
 *
 * tsquery is text: tsqueryrecv refuses the binary form of an empty one (11 to 18).
 *
 * Types that are made of others (arrays, composites and ranges of a user's, domains) travel in binary when these do: the OIDs that
 * their send functions write are changed on the way (copy/oids.h).
 */
#define FORMAT_PORTABLE(t, e)                                                                                \
    "(" t ".oid < 10000 AND " t ".typtype IN ('b', 'r', 'm') AND " t ".typsend <> 0 AND " t                  \
    ".typreceive <> 0 AND coalesce(" e ".typsend <> 0, true) AND " t ".typname NOT LIKE 'reg%'"              \
    " AND " t ".typname <> 'tsquery' AND coalesce(" e ".typname <> 'tsquery', true)"                         \
    " AND coalesce(" e ".typname NOT LIKE 'reg%', true)"                                                     \
    " OR " t ".typtype = 'e'"                                                                                \
    " OR " t ".typtype = 'r' AND EXISTS (SELECT FROM pg_catalog.pg_range pr JOIN pg_catalog.pg_type ps"      \
    "        ON ps.oid = pr.rngsubtype WHERE pr.rngtypid = " t                                               \
    ".oid AND ps.oid < 10000 AND ps.typtype = 'b'"                                                           \
    "        AND ps.typelem = 0 AND ps.typsend <> 0 AND ps.typname NOT LIKE 'reg%')"                         \
    " OR " t ".typtype = 'b' AND " t ".typsend <> 0 AND " t                                                  \
    ".typname IN ('hstore', 'citext', 'geometry', 'geography')"                                              \
    "    AND EXISTS (SELECT FROM pg_catalog.pg_depend pd WHERE pd.classid = 'pg_catalog.pg_type'::regclass"  \
    "        AND pd.objid = " t ".oid AND pd.deptype = 'e'))"

/* Of a type t with elements: an array; and one that is made of others, which decide. */
#define FORMAT_IS_ARRAY(t)                                                                                   \
    t ".typlen = -1 AND " t ".typelem <> 0 AND " t ".typtype = 'b' AND " t ".typcategory = 'A'"
#define FORMAT_IS_MADE_OF_OTHERS(t)                                                                          \
    "(" t ".typtype IN ('d', 'c') OR " t ".oid >= 10000 AND (" t                                             \
    ".typtype IN ('r', 'm') OR " FORMAT_IS_ARRAY(t) "))"

/*
 * Two members of a WITH RECURSIVE: types (type, portable, has_oids, has_char) of the types that the query asked gives.
 * has_oids: there are OIDs in what is sent, to be changed on the way; has_char: a "char" is within.
 */
#define FORMAT_TYPES(asked)                                                                                  \
    " within (type, part) AS ("                                                                              \
    "  SELECT q.type, q.type FROM (" asked ") q (type)"                                                      \
    "  UNION SELECT w.type, n.oid FROM within w JOIN pg_type t ON t.oid = w.part "                           \
    "AND " FORMAT_IS_MADE_OF_OTHERS(                                                                         \
        "t") "   CROSS JOIN LATERAL (SELECT t.typbasetype AS oid WHERE t.typtype = 'd'"                      \
             "     UNION ALL SELECT t.typelem WHERE " FORMAT_IS_ARRAY(                                       \
                 "t") "     UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid"          \
                      "     UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.typtype = 'm'"             \
                      "        AND (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid"                           \
                      "     UNION ALL SELECT f.atttypid FROM pg_attribute f WHERE t.typtype = 'c' AND "      \
                      "f.attrelid = t.typrelid"                                                              \
                      "        AND f.attnum > 0 AND NOT f.attisdropped) n),"                                 \
                      " types AS ("                                                                          \
                      "  SELECT w.type, bool_and(" FORMAT_IS_MADE_OF_OTHERS("t") " OR " FORMAT_PORTABLE(     \
                          "t",                                                                               \
                          "e") ") AS portable,"                                                              \
                               "         bool_or(t.oid >= 10000 AND (t.typtype = 'c' OR " FORMAT_IS_ARRAY(   \
                                   "t") ")) AS has_oids,"                                                    \
                                        "         bool_or(t.oid IN (18, 1002)) AS has_char"                  \
                                        "    FROM within w JOIN pg_type t ON t.oid = w.part LEFT JOIN "      \
                                        "pg_type e ON e.oid = t.typelem GROUP BY 1)"
