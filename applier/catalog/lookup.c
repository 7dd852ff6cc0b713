/*
 * One query for all tables, one row per column (one row without a column for a table that has none, or is not there). What
 * is asked of a table stands in a subquery that is run once for each of them (OFFSET 0 keeps the planner from pulling it
 * up), and goes from the name by indexes: what it costs depends on the tables asked for, not on how many there are. With a
 * hundred thousand tables this query is a good part of the target's work, so each catalog is read once for a table, and what
 * hardly any table has (rules, an extension that it belongs to, another collation) is looked up only where its row says so.
 * Of the server's own kinds of index only a B-tree can be unique (amcanunique, access/ in all majors), so nobody asks what kind a
 * unique index is.
 *
 * How a table stands to the one that was copied (state/definition.h), and the snapshot that it was copied under, are asked for in
 * the same query: three of them one after the other were three ways to the target for each set. The text of a snapshot, which names
 * each transaction that ran then, stands in the first row of a table only.
 *
 * A unique constraint besides the key is harmless when it contains the key under the same collations: rows that collide
 * in it collide in the key first. Those of partitioned parents and of partitions count too.
 */
#include "lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "text.h"

#define MANY TEXT_OF(LOOKUP_MANY)
/* None, the database's own, "C" and "POSIX" (catalog/pg_collation.dat, all majors): nearly every column's, and nothing to look up. */
#define ALWAYS_DETERMINISTIC "0, 100, 950, 951"

static const char lookup_sql[] =
    "SELECT a.n, t.oid, t.relkind, l.id, l.copy_lsn, l.recopy_lsn IS NOT NULL, l.source_bytes, l.lane_class, "
    "l.lane_reason, "
    "  l.match_class, coalesce(t.other_unique, CASE WHEN l.copying THEN l.unique_index END), l.copying, "
    "  l.part_column IS NOT NULL OR l.snapshot IS NOT NULL, l.part_column, t.key_indexed, t.indexed, "
    "t.ruled, "
    "t.of_extension, t.locks, c.attname, "
    "  concat('\"', replace(c.attname, '\"', '\"\"'), '\"'), c.atttypid, c.attidentity, c.attgenerated <> "
    "'', "
    "  c.attnotnull, c.atthasdef, c.nondeterministic, c.atttypmod, "
    "  (SELECT count(*) >= " MANY
    " FROM (SELECT FROM penstock.relation WHERE migration = $1::text LIMIT " MANY
    ") m), l.route_schema, l.route_table, "
    "  CASE WHEN lag(a.n) OVER w IS DISTINCT FROM a.n THEN "
    "    (SELECT concat(s.end_lsn, ' ', s.seen) FROM penstock.snapshot s "
    "     WHERE s.migration = $1::text AND s.number = l.snapshot AND l.part_column IS NULL) END, "
    "  l.source_oid <> a.oid, l.changed, l.news, "
    "  CASE WHEN l.id IS NULL OR l.source_oid <> a.oid THEN "
    "    (SELECT format('%I.%I', o.schema_name, o.table_name) FROM penstock.relation o "
    "     WHERE o.migration = $1::text AND o.source_oid = a.oid LIMIT 1) END "
    "FROM unnest($2::text[], $3::text[], $4::text[], $5::oid[], $6::text[]) WITH ORDINALITY "
    "  AS a (schema_name, table_name, keys, oid, columns, n) "
    "LEFT JOIN LATERAL (SELECT r.*, (SELECT m.phase IN ('created', 'copying') FROM penstock.migration m "
    "    WHERE m.name = $1::text) AS copying, " DEFINITION_COMPARED_SQL(
        "r.source_columns",
        "a.columns::text[]") "  FROM penstock.relation r WHERE r.migration = $1::text "
                             "    AND r.schema_name = a.schema_name AND r.table_name = a.table_name OFFSET "
                             "0) l ON true "
                             "LEFT JOIN LATERAL ( "
                             "  SELECT f.oid, f.relkind, u.other_unique, u.key_indexed, u.indexed, "
                             "    f.relhasrules AND EXISTS (SELECT FROM pg_rewrite WHERE ev_class = f.oid "
                             "AND ev_type = '3' "
                             "      AND ev_enabled IN ('A', 'R')) AS ruled, "
                             "    l.id IS NULL AND EXISTS (SELECT FROM pg_depend WHERE classid = "
                             "'pg_class'::regclass "
                             "      AND objid = f.oid AND objsubid = 0 AND deptype = 'e') AS of_extension, "
                             "    CASE WHEN f.relkind <> 'p' THEN 1 + u.own_indexes ELSE "
                             "    (SELECT sum(1 + (SELECT count(*) FROM (SELECT FROM pg_index WHERE indrelid "
                             "= p.oid OFFSET 0) "
                             "i))::int8 "
                             "     FROM (SELECT f.oid UNION ALL SELECT relid::oid FROM "
                             "pg_partition_tree(f.oid) WHERE relid <> f.oid) "
                             "p) END AS locks "
                             "  FROM (SELECT c.oid, c.relkind, c.relispartition, c.relhasrules FROM "
                             "pg_namespace n "
                             "        JOIN LATERAL (SELECT * FROM pg_class k WHERE k.relname = "
                             "coalesce(l.route_table, "
                             "a.table_name)::name AND k.relnamespace "
                             "= n.oid "
                             "                      OFFSET 0) c ON true "
                             "        WHERE n.nspname = coalesce(l.route_schema, a.schema_name)::name AND "
                             "c.relkind NOT IN ('i', 'I', "
                             "'S', 'c', 't') OFFSET 0) "
                             "f "
                             "  LEFT JOIN LATERAL ( "
                             "    SELECT min(x.indexrelid::regclass::text) FILTER (WHERE x.limits AND "
                             "(x.indisexclusion "
                             "        OR NOT x.names @> a.keys::text[])) AS other_unique, "
                             "      coalesce(bool_or(x.indrelid = f.oid AND x.limits AND x.plain AND "
                             "x.indisvalid AND NOT "
                             "x.indisexclusion "
                             "        AND x.indnkeyatts = cardinality(a.keys::text[]) AND x.names @> "
                             "a.keys::text[]), false) AS "
                             "key_indexed, "
                             "      coalesce(bool_or(x.indrelid = f.oid AND x.indisvalid AND x.indpred IS "
                             "NULL AND x.indkey[0] <> 0 "
                             "        AND (x.indisunique OR (SELECT k.relam FROM pg_class k WHERE k.oid = "
                             "x.indexrelid) = 403)), "
                             "false) AS indexed, "
                             "      count(*) FILTER (WHERE x.indrelid = f.oid) AS own_indexes "
                             "    FROM (SELECT i.*, i.indisunique OR i.indisexclusion AS limits, "
                             "            i.indpred IS NULL AND i.indexprs IS NULL AS plain, "
                             "            CASE WHEN i.indisunique OR i.indisexclusion THEN "
                             "            ARRAY(SELECT b.attname::text FROM generate_series(0, i.indnkeyatts "
                             "- 1) AS p "
                             "                  JOIN LATERAL (SELECT attname, attcollation FROM pg_attribute "
                             "WHERE attrelid = "
                             "i.indrelid "
                             "                                AND attnum = i.indkey[p] OFFSET 0) b ON "
                             "i.indcollation[p] = "
                             "b.attcollation) END AS names "
                             "          FROM (SELECT f.oid UNION ALL SELECT relid::oid FROM "
                             "pg_partition_ancestors(f.oid) "
                             "                  WHERE f.relispartition AND relid <> f.oid "
                             "                UNION ALL SELECT relid::oid FROM pg_partition_tree(f.oid) "
                             "WHERE f.relkind = 'p' AND "
                             "relid "
                             "<> f.oid) s "
                             "          JOIN LATERAL (SELECT * FROM pg_index WHERE indrelid = s.oid OFFSET "
                             "0) i ON true OFFSET 0) x) "
                             "u "
                             "ON true "
                             "  OFFSET 0) t ON true "
                             "LEFT JOIN LATERAL ( "
                             "  SELECT b.*, b.attcollation NOT IN (" ALWAYS_DETERMINISTIC
                             ") AND EXISTS (SELECT FROM pg_collation "
                             "      WHERE oid = b.attcollation AND NOT collisdeterministic) AS "
                             "nondeterministic "
                             "  FROM pg_attribute b WHERE b.attrelid = t.oid AND b.attnum > 0 AND NOT "
                             "b.attisdropped OFFSET 0) c ON "
                             "true "
                             "WINDOW w AS (ORDER BY a.n, c.attnum) ORDER BY a.n, c.attnum";

enum {
    ORDINAL,
    TABLE_OID,
    KIND,
    NUMBER,
    COPY_LSN,
    RECOPY,
    SOURCE_BYTES,
    LANE_CLASS,
    LANE_REASON,
    MATCH_CLASS,
    OTHER_UNIQUE,
    COPYING,
    HAS_ORIGIN,
    PART_COLUMN,
    KEY_INDEXED,
    INDEXED,
    RULED,
    OF_EXTENSION,
    LOCKS,
    NAME,
    QUOTED_NAME,
    TYPE,
    IDENTITY,
    GENERATED,
    NOT_NULL,
    HAS_DEFAULT,
    NONDETERMINISTIC,
    TYPMOD,
    AMONG_MANY,
    ROUTE_SCHEMA,
    ROUTE_TABLE,
    SNAPSHOT,
    OTHER_TABLE,
    CHANGED,
    NEWS,
    KNOWN_AS
};

static char *text_of(const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL : strdup(PQgetvalue(result, row, column));
}

static bool bool_of(const PGresult *result, int row, int column)
{
    return PQgetvalue(result, row, column)[0] == 't';
}

static int64_t number_of(const PGresult *result, int row, int column)
{
    return strtoll(PQgetvalue(result, row, column), NULL, 10);
}

/* The names of the key's columns, and all columns: an array literal each. The caller frees both. */
static void list_columns(const SourceRelation *source, Text *keys, Text *columns)
{
    for (uint32_t k = 0; k < source->key_count; k++) {
        text_array_add(keys, source->columns[source->keys[k]].name);
    }
    text_array_end(keys);
    identity_columns(source, columns);
}

#define ARRAYS 5

/* The arrays of schemas, names, key columns, OIDs and columns. */
static void make_arrays(const SourceRelation *const *sources, size_t count, Text *arrays)
{
    for (size_t i = 0; i < count; i++) {
        char oid[16];
        Text keys = {0}, columns = {0};
        snprintf(oid, sizeof oid, "%u", sources[i]->id);
        list_columns(sources[i], &keys, &columns);
        const char *const values[ARRAYS] = {sources[i]->schema, sources[i]->name, keys.data, oid,
                                            columns.data};
        for (int a = 0; a < ARRAYS; a++) {
            text_array_add(&arrays[a], values[a]);
        }
        text_free(&keys);
        text_free(&columns);
    }
    for (int i = 0; i < ARRAYS; i++) {
        text_array_end(&arrays[i]);
    }
}

static void read_identity(DefinitionFound *found, const FoundTable *table, const PGresult *result, int row)
{
    found->listed = table->listed;
    found->number = table->number;
    found->other_table = bool_of(result, row, OTHER_TABLE);
    found->changed = text_of(result, row, CHANGED);
    found->news = found->listed && bool_of(result, row, NEWS);
    found->known_as = text_of(result, row, KNOWN_AS);
    if (!lsn_parse(PQgetvalue(result, row, COPY_LSN), &found->copy_lsn)) {
        found->copy_lsn = LSN_INVALID;
    }
}

static void read_table(FoundTable *table, const PGresult *result, int row)
{
    table->exists = !PQgetisnull(result, row, KIND);
    table->oid = (uint32_t)number_of(result, row, TABLE_OID);
    table->kind = PQgetvalue(result, row, KIND)[0];
    table->listed = !PQgetisnull(result, row, NUMBER);
    table->number = number_of(result, row, NUMBER);
    table->bytes = number_of(result, row, SOURCE_BYTES);
    table->among_many = bool_of(result, row, AMONG_MANY);
    table->recopy = table->listed && bool_of(result, row, RECOPY);
    table->copy_lsn = text_of(result, row, COPY_LSN);
    table->lane_class = text_of(result, row, LANE_CLASS);
    table->lane_reason = text_of(result, row, LANE_REASON);
    table->match_class = text_of(result, row, MATCH_CLASS);
    table->other_unique = text_of(result, row, OTHER_UNIQUE);
    table->copying = bool_of(result, row, COPYING);
    table->has_origin = bool_of(result, row, HAS_ORIGIN);
    table->snapshot = text_of(result, row, SNAPSHOT);
    table->part_column = text_of(result, row, PART_COLUMN);
    table->route_schema = text_of(result, row, ROUTE_SCHEMA);
    table->route_table = text_of(result, row, ROUTE_TABLE);
    table->key_indexed = bool_of(result, row, KEY_INDEXED);
    table->indexed = bool_of(result, row, INDEXED);
    table->ruled = bool_of(result, row, RULED);
    table->of_extension = bool_of(result, row, OF_EXTENSION);
    table->locks = (uint32_t)number_of(result, row, LOCKS);
    read_identity(&table->identity, table, result, row);
}

static void read_column(FoundColumn *column, const Types *types, const PGresult *result, int row)
{
    column->name = text_of(result, row, NAME);
    column->quoted = text_of(result, row, QUOTED_NAME);
    column->type = (uint32_t)number_of(result, row, TYPE);
    column->identity = PQgetvalue(result, row, IDENTITY)[0];
    column->generated = bool_of(result, row, GENERATED);
    column->not_null = bool_of(result, row, NOT_NULL);
    column->has_default = bool_of(result, row, HAS_DEFAULT);
    column->nondeterministic = bool_of(result, row, NONDETERMINISTIC);
    const TargetType *type = types_find(types, column->type);
    column->cast = type->cast;
    column->text_cast = type->text_cast;
    column->output = type->output;
    column->base_type = type->base;
    column->type_kind = type->base_kind;
    column->takes_text = type->takes_text;
    column->typmod = type->oid != type->base ? type->modifier : (int32_t)number_of(result, row, TYPMOD);
    column->equality = type->equality;
    column->key_equality = type->key_equality;
}

/* Rows from first on that belong to one table. */
static int rows_of_table(const PGresult *result, int first)
{
    int next = first + 1;
    while (next < PQntuples(result) &&
           strcmp(PQgetvalue(result, next, ORDINAL), PQgetvalue(result, first, ORDINAL)) == 0) {
        next++;
    }
    return next - first;
}

static void read_tables(const PGresult *result, const Types *types, FoundTable *tables, size_t count)
{
    int rows;
    for (int first = 0; first < PQntuples(result); first += rows) {
        rows = rows_of_table(result, first);
        size_t number = (size_t)number_of(result, first, ORDINAL) - 1;
        if (number >= count) {
            continue;
        }
        FoundTable *table = &tables[number];
        read_table(table, result, first);
        if (PQgetisnull(result, first, NAME)) {
            continue;
        }
        table->columns = calloc((size_t)rows, sizeof(*table->columns));
        if (table->columns == NULL) {
            abort();
        }
        for (int row = 0; row < rows; row++) {
            read_column(&table->columns[table->column_count++], types, result, first + row);
        }
    }
}

static int load_types(Types *types, Database *target, const PGresult *result, Error *error)
{
    size_t count = 0;
    uint32_t *oids = calloc((size_t)PQntuples(result) + 1, sizeof *oids);
    if (oids == NULL) {
        abort();
    }
    for (int row = 0; row < PQntuples(result); row++) {
        if (!PQgetisnull(result, row, TYPE)) {
            oids[count++] = (uint32_t)number_of(result, row, TYPE);
        }
    }
    int status = types_load(types, target, oids, count, error);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (types_find(types, oids[i]) == NULL) {
            status = error_set(error, ERROR_TRANSIENT, "the target's type with OID %u went away meanwhile",
                               oids[i]);
        }
    }
    free(oids);
    return status;
}

int lookup_tables(Database *target, Types *types, const char *migration, const SourceRelation *const *sources,
                  size_t count, FoundTable *tables, Error *error)
{
    PGresult *result = NULL;
    Text arrays[ARRAYS] = {{0}};
    memset(tables, 0, count * sizeof *tables);
    make_arrays(sources, count, arrays);
    int status = database_often(target, &result, error, lookup_sql, 1 + ARRAYS, migration, arrays[0].data,
                                arrays[1].data, arrays[2].data, arrays[3].data, arrays[4].data);
    if (status == 0 && (status = load_types(types, target, result, error)) == 0) {
        read_tables(result, types, tables, count);
    }
    PQclear(result);
    for (int i = 0; i < ARRAYS; i++) {
        text_free(&arrays[i]);
    }
    if (status == 0) {
        return 0;
    }
    return count == 1 ? error_context(error, "catalog of the target, table %s.%s", sources[0]->schema,
                                      sources[0]->name)
                      : error_context(error, "catalog of the target, %zu tables from %s.%s on", count,
                                      sources[0]->schema, sources[0]->name);
}

void lookup_clear(FoundTable *table)
{
    for (uint32_t c = 0; c < table->column_count; c++) {
        free(table->columns[c].name);
        free(table->columns[c].quoted);
    }
    free(table->columns);
    free(table->copy_lsn);
    free(table->part_column);
    free(table->snapshot);
    definitions_clear(&table->identity, 1);
    free(table->route_schema);
    free(table->route_table);
    free(table->lane_class);
    free(table->lane_reason);
    free(table->match_class);
    free(table->other_unique);
    *table = (FoundTable){0};
}
