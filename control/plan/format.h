/*
 * Which types travel in binary in a COPY: those whose binary form is the same on both majors and has no OID of the server in
 * it. One column that does not makes the whole table text, and as text a bytea of more than half a gigabyte cannot be sent
 * (its output would be larger than a palloc), nor a "char" above 127 be read where the encoding has more than one byte.
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
