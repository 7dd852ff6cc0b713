/*
 * One query, whatever the number of tables. Types are looked at once each, not once per column: down to what they are made of.
 *
 * Which tables: ordinary ones and leaf partitions, inheritance parents and children; of extensions' tables those that the
 * extension marks as holding the user's data.
 *
 * The index of the replica identity is made early, by a statement of our own, only where that says all that pg_dump would
 * say of it: no storage parameter but fillfactor, not the one to cluster on, no extension that it depends on. Session
 * settings of ours have no schema but pg_catalog in search_path, so that every name comes out qualified.
 *
 * The planner does not know how many tables there are, because it looks at each WITH by itself (11) or has no statistics of the
 * catalogs yet; it would take one loop over all tables for each table. So no loops where there is another way: 20,000
 * tables are read in 6 s, and were not in 5 minutes.
 *
 * Leaves whose rows may belong into others on the target go through the topmost table that decides so (partition_route.h).
 *
 * Parts: pg_stats.histogram_bounds has some hundred keys with as many rows between each two of them. anyarray is read through
 * its text. Where rows do not lie in the order of the key, a range by the index would read a page for each row; each range is a
 * scan of the whole table then, so there are few of them.
 */
#include "source.h"

#include "format.h"
#include "partition_route.h"

#include <stdio.h>
#include <stdlib.h>

#include "jobs.h"
#include "left_behind.h"
#include "text.h"

#define PLAN_SCANS "4"      /* ranges of a table whose rows do not lie in the key's order ... */
#define PLAN_SCAN_LEAST "8" /* ... that is so many parts large */

static const char columns_sql[] =
    "WITH RECURSIVE tables AS ("
    "  SELECT c.oid, n.nspname, c.relname, c.relpersistence, c.relreplident, pg_table_size(c.oid) AS bytes,"
    "         (SELECT x.extcondition[array_position(x.extconfig, c.oid)] FROM pg_extension x"
    "           WHERE c.oid = ANY (x.extconfig) LIMIT 1) AS condition"
    "    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    "    LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0"
    "         AND d.deptype = 'e'"
    "    LEFT JOIN pg_extension e ON e.oid = d.refobjid"
    "   WHERE c.relkind = 'r' AND c.relpersistence <> 't'"
    "     AND n.nspname NOT IN ('penstock', 'information_schema') AND n.nspname !~ '^pg_'"
    "     AND (e.oid IS NULL OR c.oid = ANY (e.extconfig)) AND " IS_MOVED("c.oid") ")," FORMAT_TYPES(
        "SELECT a.atttypid FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0"
        " AND NOT a.attisdropped") ", columns AS ("
                                   "  SELECT a.attrelid, string_agg(concat('\"', replace(a.attname, '\"', "
                                   "'\"\"'), '\"'), ', ' ORDER BY a.attnum) AS list,"
                                   "         bool_and(coalesce(y.portable, false)) AS portable,"
                                   "         CASE WHEN bool_or(y.has_oids) THEN array_agg(a.atttypid ORDER "
                                   "BY a.attnum) END AS types"
                                   "    FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum "
                                   "> 0 AND NOT a.attisdropped";

/* Generated columns are computed on the target, and the catalog's column is there from 12 on. */
static const char not_generated_sql[] = " AND a.attgenerated = ''";

static const char shapes_sql[] =

    "    LEFT JOIN types y ON y.type = a.atttypid GROUP BY 1),"
    " unstable AS (SELECT p.partrelid FROM pg_partitioned_table p WHERE " ROUTE_DIFFERS(
        "p",
        "$5::bool") "),"
                    " above AS ("
                    "  SELECT t.oid AS leaf, t.oid AS at, 0 AS depth FROM tables t JOIN pg_class tc ON "
                    "tc.oid = t.oid AND tc.relispartition"
                    "   WHERE EXISTS (SELECT FROM unstable)"
                    "  UNION ALL SELECT a.leaf, i.inhparent, a.depth + 1 FROM above a JOIN pg_inherits i ON "
                    "i.inhrelid = a.at),"
                    " routes AS ("
                    "  SELECT DISTINCT ON (a.leaf) a.leaf, rn.nspname, rt.relname FROM above a JOIN unstable "
                    "s ON s.partrelid = a.at"
                    "    JOIN pg_class rt ON rt.oid = a.at JOIN pg_namespace rn ON rn.oid = rt.relnamespace"
                    "   ORDER BY a.leaf, a.depth DESC),";

/*
 * Keys whose order is that of integers or of bytes, on both servers: the applier finds the part of a row by it
 * (applier/schedule/admission.c). Of text that is so in collation C alone. $6: the databases have one encoding that says what
 * a byte means; $7: their default collation is C, too.
 */
static const char keys_sql[] =
    " keys AS ("
    "  SELECT t.oid, i.indexrelid, a.attname, t.relreplident, i.indisclustered, ic.reloptions, k.conname,"
    "         k.oid AS constraint, coalesce(tm.t::name, ts.spcname) AS spcname,"
    "         CASE WHEN t.relreplident = 'i' THEN"
    "           format('; ALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I', t.nspname, t.relname, "
    "ic.relname)"
    "         END AS identity,"
    "         EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = "
    "i.indexrelid"
    "                    AND d.deptype = 'x') AS depends,"
    "         CASE WHEN i.indcollation[0] = a.attcollation AND oc.opcdefault THEN"
    "           CASE coalesce(nullif(ty.typbasetype, 0), ty.oid)"
    "             WHEN 20 THEN 'int8' WHEN 21 THEN 'int8' WHEN 23 THEN 'int8' WHEN 26 THEN 'oid' WHEN 2950 "
    "THEN 'uuid'"
    "             WHEN 1082 THEN 'date' WHEN 1083 THEN 'time' WHEN 1114 THEN 'timestamp' WHEN 1184 THEN "
    "'timestamptz'"
    "             WHEN 17 THEN 'bytea'"
    "             ELSE CASE WHEN coalesce(nullif(ty.typbasetype, 0), ty.oid) IN (25, 1043) AND $6::bool"
    "                        AND (a.attcollation = 950 OR a.attcollation = 100 AND $7::bool) THEN 'text' END "
    "END"
    "         END AS part_type"
    "    FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND i.indisvalid AND i.indimmediate AND "
    "i.indpred IS NULL"
    "         AND (t.relreplident = 'd' AND i.indisprimary OR t.relreplident = 'i' AND i.indisreplident)"
    "    JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]"
    "    JOIN pg_type ty ON ty.oid = a.atttypid JOIN pg_opclass oc ON oc.oid = i.indclass[0]"
    "    JOIN pg_class ic ON ic.oid = i.indexrelid LEFT JOIN pg_tablespace ts ON ts.oid = ic.reltablespace"
    "    LEFT JOIN unnest($3::text[], $4::text[]) AS tm (f, t) ON tm.f = ts.spcname"
    "    LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u') AND k.conrelid = "
    "t.oid),"
    " uniques AS ("
    "  SELECT i.indrelid, min(i.indexrelid::regclass::text) AS name"
    "    FROM tables t JOIN pg_index i ON i.indrelid = t.oid AND (i.indisunique OR i.indisexclusion)"
    "    LEFT JOIN keys k ON k.indexrelid = i.indexrelid WHERE k.oid IS NULL GROUP BY 1),";

static const char cuts_sql[] =
    " cuts AS ("
    "  SELECT k.oid, k.attname, k.part_type, s.bounds, s.n, NOT s.follows AS scan,"
    "         least(s.n - 1, CASE WHEN s.follows THEN t.bytes / ($1::int8 * 1048576)"
    "                             WHEN t.bytes >= " PLAN_SCAN_LEAST " * $1::int8 * 1048576 THEN " PLAN_SCANS
    " ELSE 1 END)::int AS parts"
    "    FROM keys k JOIN tables t ON t.oid = k.oid AND t.condition IS NULL AND t.bytes >= 2 * $1::int8 * "
    "1048576"
    "    JOIN LATERAL (SELECT b.bounds, array_length(b.bounds, 1) AS n, coalesce(abs(b.correlation) >= 0.9, "
    "false) AS follows"
    "                    FROM (SELECT p.histogram_bounds::text::text[] AS bounds, p.correlation FROM "
    "pg_stats p"
    "                           WHERE p.schemaname = t.nspname AND p.tablename = t.relname AND p.attname = "
    "k.attname"
    "                             AND NOT p.inherited) b"
    "                   WHERE (SELECT max(octet_length(v)) FROM unnest(b.bounds) v) < " TEXT_OF(
        JOBS_KEY_SIZE) ") s ON s.n >= 3"
                       "   WHERE k.part_type IS NOT NULL)";

static const char select_sql[] =
    " SELECT t.nspname, t.relname, t.oid, c.list, coalesce(c.portable, true), t.condition,"
    "   CASE WHEN k.constraint IS NULL THEN 1259 ELSE 2606 END, coalesce(k.constraint, k.indexrelid),"
    "   CASE WHEN k.oid IS NULL OR k.indisclustered OR k.depends"
    "             OR EXISTS (SELECT FROM unnest(k.reloptions) o WHERE o NOT LIKE 'fillfactor=%') THEN NULL"
    "        WHEN k.constraint IS NOT NULL THEN concat(format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s', "
    "t.nspname,"
    "             t.relname, k.conname, pg_get_constraintdef(k.constraint)), CASE WHEN k.reloptions IS NOT "
    "NULL"
    "             THEN format(' WITH (%s)', array_to_string(k.reloptions, ', ')) END, CASE WHEN $2::bool AND "
    "k.spcname IS NOT"
    "             NULL THEN format(' USING INDEX TABLESPACE %I', k.spcname) END, k.identity)"
    "        WHEN k.spcname IS NULL OR NOT $2::bool THEN concat(pg_get_indexdef(k.indexrelid), k.identity) "
    "END,"
    "   u.name, CASE WHEN p.parts >= 2 THEN p.attname END, p.part_type, p.scan, ro.nspname, ro.relname, "
    "c.types,"
    "   CASE WHEN p.parts >= 2 THEN (SELECT array_agg(q.b ORDER BY q.i)"
    "       FROM (SELECT DISTINCT ON (b) b, i FROM (SELECT p.bounds[1 + i::int8 * (p.n - 1) / p.parts] AS b, "
    "i"
    "               FROM generate_series(1, p.parts - 1) AS i) e ORDER BY b, i) q) END"
    "  FROM tables t LEFT JOIN columns c ON c.attrelid = t.oid LEFT JOIN keys k ON k.oid = t.oid"
    "  LEFT JOIN uniques u ON u.indrelid = t.oid LEFT JOIN cuts p ON p.oid = t.oid LEFT JOIN routes ro ON "
    "ro.leaf = t.oid"
    " ORDER BY 1, 2";

static const char *flag(bool value)
{
    return value ? "t" : "f";
}

/* $1 to $7 as above. Tables that are large for one job: name, bytes, why they are not cut. */
static const char uncut_sql[] =
    " SELECT format('%I.%I', t.nspname, t.relname), t.bytes, CASE"
    "   WHEN t.condition IS NOT NULL THEN 'only some of its rows are the user''s'"
    "   WHEN ro.leaf IS NOT NULL THEN 'its rows may belong into another partition on the target'"
    "   WHEN k.oid IS NULL THEN 'it has no key that is its replica identity'"
    "   WHEN k.part_type IS NULL THEN concat('its key begins with ', k.attname, ', and the order of ', "
    "a.type, ' is not the same everywhere')"
    "   WHEN NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = t.nspname AND s.tablename = t.relname "
    "AND s.attname = k.attname)"
    "     THEN 'the source has no statistics of its key: ANALYZE it'"
    "   ELSE concat('the first column of its key, ', k.attname, ', has few different values, or very long "
    "ones') END"
    "  FROM tables t LEFT JOIN keys k ON k.oid = t.oid LEFT JOIN cuts p ON p.oid = t.oid LEFT JOIN routes ro "
    "ON ro.leaf = t.oid"
    "  LEFT JOIN LATERAL (SELECT format_type(b.atttypid, NULL) || CASE WHEN b.attcollation <> 0 THEN"
    "        format(' COLLATE %I', (SELECT collname FROM pg_collation WHERE oid = b.attcollation)) ELSE '' "
    "END AS type"
    "      FROM pg_attribute b WHERE b.attrelid = t.oid AND b.attname = k.attname) a ON true"
    " WHERE t.bytes >= " PLAN_SCAN_LEAST
    " * $1::int8 * 1048576 AND (coalesce(p.parts, 0) < 2 OR ro.leaf IS NOT NULL)"
    "   AND $2::bool IS NOT NULL"
    " ORDER BY 2 DESC, 1";

/* Asks with what the plan knows of tables and their keys. */
static int ask(Database *source, const PlanOptions *options, const PlanEnds *ends, const char *question,
               PGresult **rows, Error *error)
{
    Text sql = {0};
    char part[24];
    text_append(&sql, columns_sql);
    text_append(&sql, database_version(source) >= 120000 ? not_generated_sql : "");
    text_append(&sql, shapes_sql);
    text_append(&sql, keys_sql);
    text_append(&sql, cuts_sql);
    text_append(&sql, question);
    snprintf(part, sizeof part, "%d", options->part_mb);
    int status = database_execute(source, error, "SET enable_nestloop TO off", 0);
    if (status == 0) {
        status = database_query(source, rows, error, sql.data, 7, part, flag(options->with_tablespaces),
                                options->tablespaces_from != NULL ? options->tablespaces_from : "{}",
                                options->tablespaces_to != NULL ? options->tablespaces_to : "{}",
                                flag(ends->other_encoding), flag(ends->bytes_mean_the_same),
                                flag(ends->bytes_order));
    }
    if (status == 0 && database_execute(source, error, "RESET enable_nestloop", 0) != 0) {
        PQclear(*rows);
        *rows = NULL;
        status = -1;
    }
    text_free(&sql);
    return status == 0 ? 0 : error_context(error, "reading the source's catalogs");
}

int plan_read_source(Database *source, const PlanOptions *options, const PlanEnds *ends, PGresult **rows,
                     Error *error)
{
    return ask(source, options, ends, select_sql, rows, error);
}

int plan_read_uncut(Database *source, const PlanOptions *options, const PlanEnds *ends, PGresult **rows,
                    Error *error)
{
    return ask(source, options, ends, uncut_sql, rows, error);
}
