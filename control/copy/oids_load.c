/*
 * Two queries for the types that are new: what they are made of, at the source, and where they are on the target.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oids.h"
#include "text.h"

#define DEPTH 32

/*
 * The types within those of $1, with themselves: what each is, and the names by which it is found on the target; an array is
 * found by its elements' type, since its own name may be any. A domain counts as what is beneath it, and has its own OID.
 */
static const char source_sql[] =
    "WITH RECURSIVE within (oid, base, depth) AS ("
    "  SELECT a, a, 0 FROM pg_catalog.unnest($1::oid[]) a"
    "  UNION SELECT n.oid, n.oid, w.depth + 1 FROM within w JOIN pg_catalog.pg_type t ON t.oid = w.base"
    "    CROSS JOIN LATERAL (SELECT t.typbasetype AS oid WHERE t.typtype = 'd'"
    "      UNION ALL SELECT t.typelem WHERE t.typlen = -1 AND t.typelem <> 0 AND t.typtype = 'b' AND "
    "t.typcategory = 'A'"
    "      UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid"
    "      UNION ALL SELECT (pg_catalog.to_jsonb(r) ->> 'rngtypid')::oid FROM pg_catalog.pg_range r"
    "        WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid"
    "      UNION ALL SELECT f.atttypid FROM pg_catalog.pg_attribute f WHERE f.attrelid = t.typrelid AND "
    "t.typtype = 'c'"
    "        AND f.attnum > 0 AND NOT f.attisdropped) n WHERE w.depth < 32)"
    " SELECT DISTINCT t.oid, CASE WHEN t.typtype = 'd' THEN 'd' WHEN t.typtype IN ('c', 'r', 'm') THEN "
    "t.typtype::text"
    "    WHEN t.typlen = -1 AND t.typelem <> 0 AND t.typtype = 'b' AND t.typcategory = 'A' THEN 'a' ELSE '-' "
    "END,"
    "   CASE t.typtype WHEN 'd' THEN t.typbasetype WHEN 'r' THEN (SELECT rngsubtype FROM pg_catalog.pg_range "
    "WHERE rngtypid = t.oid)"
    "     WHEN 'm' THEN (SELECT (pg_catalog.to_jsonb(r) ->> 'rngtypid')::oid FROM pg_catalog.pg_range r"
    "        WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid) ELSE t.typelem END,"
    "   y.typname, n.nspname, y.oid <> t.oid,"
    "   (SELECT pg_catalog.string_agg(f.atttypid::text, ' ') FROM pg_catalog.pg_attribute f WHERE t.typtype "
    "= 'c'"
    "        AND f.attrelid = t.typrelid AND f.attnum > 0 AND NOT f.attisdropped)"
    "  FROM within w JOIN pg_catalog.pg_type t ON t.oid = w.oid"
    "  JOIN pg_catalog.pg_type y ON y.oid = CASE WHEN t.typlen = -1 AND t.typelem <> 0 AND t.typtype = 'b'"
    "       AND t.typcategory = 'A' THEN t.typelem ELSE t.oid END"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace";

/* An extension may lie in another schema there. */
static const char target_sql[] =
    "SELECT CASE WHEN a.is_array THEN t.typarray ELSE t.oid END"
    "  FROM unnest($1::text[], $2::text[], $3::bool[]) WITH ORDINALITY AS a (type, schema, "
    "is_array, n)"
    "  LEFT JOIN LATERAL (SELECT y.oid, y.typarray FROM pg_catalog.pg_type y"
    "      JOIN pg_catalog.pg_namespace s ON s.oid = y.typnamespace WHERE y.typname = a.type::name"
    "       AND (s.nspname = a.schema::name OR EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = "
    "'e' AND d.objid = y.oid"
    "            AND d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass))"
    "      ORDER BY s.nspname = a.schema::name DESC LIMIT 1) t ON true ORDER BY a.n";

enum { OID, KIND, INNER, TYPE, SCHEMA, IS_ARRAY, FIELDS };

static uint32_t oid_of(const PGresult *rows, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(rows, row, column), NULL, 10);
}

/* The row of a type, or -1. */
static int row_of(const PGresult *rows, uint32_t oid)
{
    for (int row = 0; row < PQntuples(rows); row++) {
        if (oid_of(rows, row, OID) == oid) {
            return row;
        }
    }
    return -1;
}

typedef struct Found {
    const PGresult *types;
    const PGresult *places; /* by the same row */
} Found;

static bool has_changes(const Found *found, uint32_t oid, int depth);

/* The OID is in what is sent, and another one on the target; or something within has one. */
static bool is_changed(const Found *found, uint32_t oid, int depth)
{
    int row = row_of(found->types, oid);
    return row >= 0 && (oid_of(found->places, row, 0) != oid || has_changes(found, oid, depth + 1));
}

static bool has_changes(const Found *found, uint32_t oid, int depth)
{
    int row = row_of(found->types, oid);
    if (row < 0 || depth > DEPTH) {
        return false;
    }
    uint32_t inner = oid_of(found->types, row, INNER);
    switch (PQgetvalue(found->types, row, KIND)[0]) {
    case 'a':
        return is_changed(found, inner, depth);
    case 'd':
    case 'r':
    case 'm':
        return has_changes(found, inner, depth + 1);
    case 'c': {
        bool changes = false;
        for (char *at = PQgetvalue(found->types, row, FIELDS); *at != '\0' && !changes;) {
            changes = is_changed(found, (uint32_t)strtoul(at, &at, 10), depth);
        }
        return changes;
    }
    default:
        return false;
    }
}

static OidsKind kind_of(char letter)
{
    return letter == 'a'   ? OIDS_ARRAY
           : letter == 'c' ? OIDS_RECORD
           : letter == 'r' ? OIDS_RANGE
           : letter == 'm' ? OIDS_MULTIRANGE
                           : OIDS_ATOM;
}

/* What the values of a type are: those of a domain are what is beneath it. */
static int row_beneath(const PGresult *types, int row)
{
    for (int depth = 0; row >= 0 && depth < DEPTH && PQgetvalue(types, row, KIND)[0] == 'd'; depth++) {
        row = row_of(types, oid_of(types, row, INNER));
    }
    return row;
}

static int take_types(Oids *oids, const Found *found, Error *error)
{
    for (int row = 0; row < PQntuples(found->types); row++) {
        int beneath = row_beneath(found->types, row);
        OidsType type = {.oid = oid_of(found->types, row, OID), .on_target = oid_of(found->places, row, 0)};
        if (type.on_target == 0 || beneath < 0) {
            return error_set(error, ERROR_TARGET, "type %s.%s is not there on the target",
                             PQgetvalue(found->types, row, SCHEMA), PQgetvalue(found->types, row, TYPE));
        }
        type.kind = kind_of(PQgetvalue(found->types, beneath, KIND)[0]);
        type.inner = oid_of(found->types, beneath, INNER);
        type.changes = has_changes(found, oid_of(found->types, beneath, OID), 0);
        oids_add(oids, &type);
    }
    return 0;
}

static int ask_target(Database *target, const PGresult *types, PGresult **places, Error *error)
{
    Text arrays[3] = {{0}};
    for (int row = 0; row < PQntuples(types); row++) {
        for (int i = 0; i < 3; i++) {
            text_array_add(&arrays[i], PQgetvalue(types, row, TYPE + i));
        }
    }
    for (int i = 0; i < 3; i++) {
        text_array_end(&arrays[i]);
    }
    int status =
        database_query(target, places, error, target_sql, 3, arrays[0].data, arrays[1].data, arrays[2].data);
    for (int i = 0; i < 3; i++) {
        text_free(&arrays[i]);
    }
    return status;
}

static int ask(Oids *oids, Database *source, Database *target, const char *asked, Error *error)
{
    PGresult *types = NULL, *places = NULL;
    int status = database_query(source, &types, error, source_sql, 1, asked);
    if (status == 0) {
        status = ask_target(target, types, &places, error);
    }
    if (status == 0) {
        status = take_types(oids, &(Found){types, places}, error);
    }
    PQclear(types);
    PQclear(places);
    return status == 0 ? 0 : error_context(error, "what types are on the target");
}

int oids_load(Oids *oids, Database *source, Database *target, const uint32_t *types, size_t count,
              bool *needed, Error *error)
{
    Text asked = {0};
    bool any = false;
    int status = 0;
    for (size_t i = 0; i < count; i++) {
        char text[16];
        if (types[i] >= 10000 && oids_find(oids, types[i]) == NULL) {
            snprintf(text, sizeof text, "%u", types[i]);
            text_array_add(&asked, text);
            any = true;
        }
    }
    text_array_end(&asked);
    if (any) {
        status = ask(oids, source, target, asked.data, error);
    }
    text_free(&asked);
    *needed = false;
    for (size_t i = 0; status == 0 && i < count; i++) {
        const OidsType *type = oids_find(oids, types[i]);
        *needed = *needed || (type != NULL && type->changes);
    }
    oids_columns(oids, types, count);
    return status;
}
