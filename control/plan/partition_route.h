/*
 * Which partitioned tables may put a row into another partition on another server, though both are defined the same. Rows
 * below them travel through the table itself, which puts each where it belongs there.
 *
 *     hash    an enum's hash is that of its OID (hashenum); of floats that of NaN changed in 14; of text its bytes, which are
 *             others in another encoding, or, where the collation is not deterministic, what the library makes of it; what
 *             hash functions of extensions and users do is unknown
 *     range   the order of text is the library's, but for collations that go by bytes
 *     list    equality of an extension's type with a collation (citext) is the library's, too
 */
#pragma once

/* Collations that go by bytes or code points, whatever the library: by name. */
#define ROUTE_PLAIN "('C', 'POSIX', 'C.UTF-8', 'C.utf8', 'ucs_basic')"

/*
 * An SQL condition on p, a row of pg_partitioned_table: its key may route a row differently. other_encoding: an expression for
 * whether the two databases' encodings differ. Names resolve in pg_catalog.
 */
#define ROUTE_DIFFERS(p, other_encoding)                                                                     \
    "EXISTS (SELECT FROM generate_series(0, " p ".partnatts - 1) AS k"                                       \
    "   JOIN pg_opclass ro ON ro.oid = " p ".partclass[k]"                                                   \
    "   LEFT JOIN pg_attribute ra ON ra.attrelid = " p ".partrelid AND ra.attnum = " p ".partattrs[k]"       \
    "        AND ra.attnum > 0"                                                                              \
    "   LEFT JOIN pg_collation rc ON rc.oid = " p ".partcollation[k]"                                        \
    "   CROSS JOIN LATERAL (SELECT CASE WHEN rc.collname = 'default' THEN (SELECT CASE WHEN"                 \
    "          coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' THEN d.datcollate::text ELSE 'icu' "    \
    "END FROM"                                                                                               \
    "          pg_database d WHERE d.datname = current_database()) ELSE rc.collcollate::text END AS "        \
    "order_by,"                                                                                              \
    "          rc.oid IS NOT NULL AND coalesce(to_jsonb(rc) ->> 'collisdeterministic', 'true') = 'false' "   \
    "AS loose) x"                                                                                            \
    "  WHERE CASE " p ".partstrat"                                                                           \
    "   WHEN 'h' THEN ro.oid >= 16384 OR ro.opcintype IN (700, 701, 2249, 3500)"                             \
    "        OR ro.opcintype IN (2277, 3831) AND coalesce(ra.atttypid, 10000) >= 10000"                      \
    "        OR rc.oid IS NOT NULL AND (x.loose OR " other_encoding ")"                                      \
    "   WHEN 'r' THEN rc.oid IS NOT NULL AND coalesce(x.order_by, rc.collname::text) NOT IN " ROUTE_PLAIN    \
    "   ELSE rc.oid IS NOT NULL AND (ro.oid >= 16384 OR x.loose) END)"
