/*
 * One query, one row per column of the table (one row without a column for a table that has none, or is not there).
 *
 * A type's equality operator is that of its default btree or hash operator class. Enums, ranges and arrays have theirs
 * through a polymorphic type, varchar and cidr through a binary coercible one; arrays have it only if their elements do,
 * and composites are taken to have none, because a column of theirs may not.
 *
 * The binary format of an enum, of text and of citext is the text itself: their receive functions tell.
 *
 * A unique constraint besides the key is harmless when it contains the key under the same collations: rows that collide
 * in it collide in the key first. Those of partitioned parents and of partitions count too.
 */
#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char lookup_sql[] =
    "WITH t AS ( "
    "  SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "  WHERE n.nspname = $2 AND c.relname = $3 AND c.relkind NOT IN ('i', 'I', 'S', 'c', 't') "
    "), columns AS ( "
    "  SELECT a.*, b.oid AS base, b.typtype AS base_kind, "
    "         CASE WHEN b.typlen = -1 AND b.typelem <> 0 AND b.typcategory = 'A' THEN b.typelem END AS "
    "element "
    "  FROM t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "
    "  CROSS JOIN LATERAL ( "
    "    WITH RECURSIVE d AS ( "
    "      SELECT * FROM pg_type WHERE oid = a.atttypid "
    "      UNION ALL SELECT p.* FROM d JOIN pg_type p ON p.oid = d.typbasetype WHERE d.typtype = 'd') "
    "    SELECT * FROM d WHERE typtype <> 'd') b "
    "), types AS ( "
    "  SELECT base AS oid FROM columns UNION SELECT element FROM columns WHERE element IS NOT NULL "
    "), kinds AS MATERIALIZED ( "
    "  SELECT y.oid, y.typtype, y.typlen = -1 AND y.typelem <> 0 AND y.typcategory = 'A' AS is_array "
    "  FROM types JOIN pg_type y USING (oid) "
    "), equalities AS MATERIALIZED ( "
    "  SELECT oc.opcintype, am.amname, ao.amopopr "
    "  FROM pg_opclass oc JOIN pg_am am ON am.oid = oc.opcmethod AND am.amname IN ('btree', 'hash') "
    "  JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype "
    "    AND ao.amoprighttype = oc.opcintype "
    "    AND ao.amopstrategy = CASE am.amname WHEN 'btree' THEN 3 ELSE 1 END "
    "  WHERE oc.opcdefault "
    "), operators AS MATERIALIZED ( "
    "  SELECT DISTINCT ON (k.oid) k.oid, "
    "    'OPERATOR(\"' || replace(n.nspname, '\"', '\"\"') || '\".' || o.oprname || ')' AS name "
    "  FROM kinds k JOIN equalities e ON e.opcintype = k.oid "
    "    OR (k.typtype = 'e' AND e.opcintype = 'anyenum'::regtype) "
    "    OR (k.typtype = 'r' AND e.opcintype = 'anyrange'::regtype) "
    "    OR (k.typtype = 'm' AND e.opcintype = 'anymultirange'::regtype) "
    "    OR (k.is_array AND e.opcintype = 'anyarray'::regtype) "
    "    OR EXISTS (SELECT FROM pg_cast WHERE castsource = k.oid AND casttarget = e.opcintype "
    "               AND castmethod = 'b' AND castcontext = 'i') "
    "  JOIN pg_operator o ON o.oid = e.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace "
    "  ORDER BY k.oid, e.opcintype = k.oid DESC, e.amname "
    "), family AS ( "
    "  SELECT oid FROM t "
    "  UNION SELECT relid::oid FROM t, pg_partition_ancestors(t.oid) AS relid "
    "  UNION SELECT relid::oid FROM t, pg_partition_tree(t.oid) "
    "), uniques AS ( "
    "  SELECT i.indexrelid, i.indrelid, i.indisexclusion, i.indpred IS NULL AND i.indexprs IS NULL AS plain, "
    "    i.indisvalid, "
    "    ARRAY(SELECT a.attname::text FROM generate_series(0, i.indnkeyatts - 1) AS p "
    "          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p] "
    "          WHERE i.indcollation[p] = a.attcollation) AS names, "
    "    i.indnkeyatts "
    "  FROM family f JOIN pg_index i ON i.indrelid = f.oid AND (i.indisunique OR i.indisexclusion) "
    "), listing AS ( "
    "  SELECT id, copy_lsn, lane_class, recopy_lsn FROM penstock.relation "
    "  WHERE migration = $1 AND schema_name = $2 AND table_name = $3 "
    ") "
    "SELECT t.relkind, "
    "  EXISTS (SELECT FROM listing), "
    "  EXISTS (SELECT FROM listing WHERE recopy_lsn IS NOT NULL), "
    "  (SELECT copy_lsn FROM listing), "
    "  (SELECT lane_class FROM listing), "
    "  (SELECT id FROM listing), "
    "  (SELECT u.indexrelid::regclass::text FROM uniques u "
    "   WHERE u.indisexclusion OR NOT u.names @> $4::text[] ORDER BY 1 LIMIT 1), "
    "  EXISTS (SELECT FROM uniques u WHERE u.indrelid = t.oid AND u.plain AND u.indisvalid AND NOT "
    "u.indisexclusion "
    "          AND u.indnkeyatts = cardinality($4::text[]) AND u.names @> $4::text[]), "
    "  EXISTS (SELECT FROM pg_rewrite WHERE ev_class = t.oid AND ev_type = '3' AND ev_enabled IN ('A', "
    "'R')), "
    "  EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = t.oid AND objsubid = 0 "
    "          AND deptype = 'e'), "
    "  c.attname, '\"' || replace(c.attname, '\"', '\"\"') || '\"', "
    "  '\"' || replace(yn.nspname, '\"', '\"\"') || '\".\"' || replace(y.typname, '\"', '\"\"') || '\"', "
    "  c.atttypid, c.base, c.base_kind, c.attidentity, c.attgenerated <> '', c.attnotnull, c.atthasdef, "
    "  EXISTS (SELECT FROM pg_collation WHERE oid = c.attcollation AND NOT collisdeterministic), "
    "  EXISTS (SELECT FROM pg_type r JOIN pg_proc p ON p.oid = r.typreceive "
    "          WHERE r.oid = c.base AND p.prosrc IN ('enum_recv', 'textrecv')), "
    "  CASE WHEN c.element IS NULL OR EXISTS (SELECT FROM operators WHERE oid = c.element) THEN o.name END "
    "FROM (SELECT) AS always LEFT JOIN t ON true LEFT JOIN columns c ON true "
    "  LEFT JOIN pg_type y ON y.oid = c.atttypid LEFT JOIN pg_namespace yn ON yn.oid = y.typnamespace "
    "  LEFT JOIN operators o ON o.oid = c.base "
    "ORDER BY c.attnum";

enum {
    KIND,
    LISTED,
    RECOPY,
    COPY_LSN,
    LANE_CLASS,
    NUMBER,
    OTHER_UNIQUE,
    KEY_INDEXED,
    RULED,
    OF_EXTENSION,
    NAME,
    QUOTED_NAME,
    CAST,
    TYPE,
    BASE_TYPE,
    TYPE_KIND,
    IDENTITY,
    GENERATED,
    NOT_NULL,
    HAS_DEFAULT,
    NONDETERMINISTIC,
    TAKES_TEXT,
    EQUALITY
};

static char *text_of(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : strdup(PQgetvalue(result, row, column));
}

static bool bool_of(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static uint32_t oid_of(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

/* {"a","b"}: the names of the replica identity's columns as an array literal. The caller frees it. */
static char *key_names(const SourceRelation *source)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputc('{', out);
    for (uint32_t i = 0; i < source->key_count; i++) {
        fputs(i == 0 ? "\"" : ",\"", out);
        for (const char *c = source->columns[source->keys[i]].name; *c != '\0'; c++) {
            if (*c == '"' || *c == '\\') {
                fputc('\\', out);
            }
            fputc(*c, out);
        }
        fputc('"', out);
    }
    fputc('}', out);
    fclose(out);
    return text;
}

static void read_column(FoundColumn *column, const PGresult *result, int row)
{
    column->name = text_of(result, row, NAME);
    column->quoted = text_of(result, row, QUOTED_NAME);
    column->cast = text_of(result, row, CAST);
    column->type = oid_of(result, row, TYPE);
    column->base_type = oid_of(result, row, BASE_TYPE);
    column->type_kind = PQgetvalue(result, row, TYPE_KIND)[0];
    column->identity = PQgetvalue(result, row, IDENTITY)[0];
    column->generated = bool_of(result, row, GENERATED);
    column->not_null = bool_of(result, row, NOT_NULL);
    column->has_default = bool_of(result, row, HAS_DEFAULT);
    column->nondeterministic = bool_of(result, row, NONDETERMINISTIC);
    column->takes_text = bool_of(result, row, TAKES_TEXT);
    column->equality = text_of(result, row, EQUALITY);
}

static FoundTable *read_table(const PGresult *result)
{
    FoundTable *table = calloc(1, sizeof(*table));
    int rows = PQntuples(result);
    table->exists = rows > 0 && !PQgetisnull(result, 0, KIND);
    table->listed = rows > 0 && bool_of(result, 0, LISTED);
    table->recopy = rows > 0 && bool_of(result, 0, RECOPY);
    if (!table->exists) {
        return table;
    }
    table->kind = PQgetvalue(result, 0, KIND)[0];
    table->copy_lsn = text_of(result, 0, COPY_LSN);
    table->lane_class = text_of(result, 0, LANE_CLASS);
    table->number = strtoll(PQgetvalue(result, 0, NUMBER), NULL, 10);
    table->other_unique = text_of(result, 0, OTHER_UNIQUE);
    table->key_indexed = bool_of(result, 0, KEY_INDEXED);
    table->ruled = bool_of(result, 0, RULED);
    table->of_extension = bool_of(result, 0, OF_EXTENSION);
    if (!PQgetisnull(result, 0, NAME)) {
        table->column_count = (uint32_t)rows;
        table->columns = calloc((size_t)rows, sizeof(*table->columns));
        for (int row = 0; row < rows; row++) {
            read_column(&table->columns[row], result, row);
        }
    }
    return table;
}

int lookup_table(Database *target, const char *migration, const SourceRelation *source, FoundTable **out,
                 Error *error)
{
    PGresult *result = NULL;
    char *keys = key_names(source);
    int failed =
        database_query(target, &result, error, lookup_sql, 4, migration, source->schema, source->name, keys);
    free(keys);
    if (failed != 0) {
        return error_context(error, "catalog of the target, table %s.%s", source->schema, source->name);
    }
    *out = read_table(result);
    PQclear(result);
    return 0;
}

void lookup_free(FoundTable *table)
{
    if (table == NULL) {
        return;
    }
    for (uint32_t c = 0; c < table->column_count; c++) {
        free(table->columns[c].name);
        free(table->columns[c].quoted);
        free(table->columns[c].cast);
        free(table->columns[c].equality);
    }
    free(table->columns);
    free(table->copy_lsn);
    free(table->lane_class);
    free(table->other_unique);
    free(table);
}
