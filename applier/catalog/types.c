/*
 * A type's equality operator is that of its default btree or hash operator class. Enums, ranges and arrays have theirs
 * through a polymorphic type, varchar and cidr through a binary coercible one; arrays have it only if their elements do,
 * and composites are taken to have none, because a column of theirs may not.
 *
 * The binary format of an enum, of text and of citext is the text itself: their receive functions tell.
 */
#include "types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"
#include "text.h"
#include "text_cast.h"

/* OIDs below it are the same in every server (access/transam.h, FirstGenbkiObjectId). */
#define FIRST_OWN_OID 10000

typedef struct TypeEntry {
    UT_hash_handle hh;
    TargetType type;
} TypeEntry;

typedef struct ArrayType {
    UT_hash_handle hh;
    uint32_t element;
    uint32_t array;
} ArrayType;

typedef struct CastKey {
    uint32_t from;
    const char *cast;
} CastKey;

/* A cast that was tried, and that there is. */
typedef struct Cast {
    UT_hash_handle hh;
    CastKey key;
} Cast;

struct Types {
    Arena *arena;
    TypeEntry *entries;
    ArrayType *arrays;
    Cast *casts;
};

static const char types_sql[] =
    "WITH asked AS MATERIALIZED ( "
    "  SELECT a.oid, b.oid AS base, b.modifier, b.typtype AS base_kind, r.prosrc IN ('enum_recv', "
    "'textrecv') AS "
    "takes_text, "
    "    CASE WHEN b.typlen = -1 AND b.typelem <> 0 AND b.typcategory = 'A' THEN b.typelem END AS element, "
    "    concat('\"', replace(n.nspname, '\"', '\"\"'), '\".\"', replace(y.typname, '\"', '\"\"'), '\"') AS "
    "name, "
    "    concat('\"', replace(on_.nspname, '\"', '\"\"'), '\".\"', replace(o.proname, '\"', '\"\"'), '\"') "
    "AS output "
    "  FROM unnest($1::oid[]) AS a (oid) JOIN pg_type y ON y.oid = a.oid "
    "  JOIN pg_namespace n ON n.oid = y.typnamespace "
    "  JOIN pg_proc o ON o.oid = y.typoutput JOIN pg_namespace on_ ON on_.oid = o.pronamespace "
    "  CROSS JOIN LATERAL ( "
    "    WITH RECURSIVE d AS ( "
    "      SELECT *, -1 AS modifier FROM pg_type WHERE oid = a.oid "
    "      UNION ALL SELECT p.*, CASE d.typtypmod WHEN -1 THEN d.modifier ELSE d.typtypmod END "
    "        FROM d JOIN pg_type p ON p.oid = d.typbasetype WHERE d.typtype = 'd') "
    "    SELECT * FROM d WHERE typtype <> 'd') b "
    "  LEFT JOIN pg_proc r ON r.oid = b.typreceive "
    "), kinds AS MATERIALIZED ( "
    "  SELECT y.oid, y.typtype, y.typlen = -1 AND y.typelem <> 0 AND y.typcategory = 'A' AS is_array "
    "  FROM (SELECT base AS oid FROM asked UNION SELECT element FROM asked WHERE element IS NOT NULL) s "
    "  JOIN pg_type y USING (oid) "
    "), equalities AS MATERIALIZED ( "
    "  SELECT oc.opcintype, am.amname, ao.amopopr "
    "  FROM pg_opclass oc JOIN pg_am am ON am.oid = oc.opcmethod AND am.amname IN ('btree', 'hash') "
    "  JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype "
    "    AND ao.amoprighttype = oc.opcintype "
    "    AND ao.amopstrategy = CASE am.amname WHEN 'btree' THEN 3 ELSE 1 END "
    "  WHERE oc.opcdefault "
    "), operators AS MATERIALIZED ( "
    "  SELECT DISTINCT ON (k.oid) k.oid, "
    "    concat('OPERATOR(\"', replace(n.nspname, '\"', '\"\"'), '\".', o.oprname, ')') AS name "
    "  FROM kinds k JOIN equalities e ON e.opcintype = k.oid "
    "    OR (k.typtype = 'e' AND e.opcintype = 'anyenum'::regtype) "
    "    OR (k.typtype = 'r' AND e.opcintype = 'anyrange'::regtype) "
    "    OR (k.typtype = 'm' AND e.opcintype = 'anymultirange'::regtype) "
    "    OR (k.typtype = 'c' AND e.opcintype = 'record'::regtype) "
    "    OR (k.is_array AND e.opcintype = 'anyarray'::regtype) "
    "    OR EXISTS (SELECT FROM pg_cast WHERE castsource = k.oid AND casttarget = e.opcintype "
    "               AND castmethod = 'b' AND castcontext = 'i') "
    "  JOIN pg_operator o ON o.oid = e.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace "
    "  ORDER BY k.oid, e.opcintype = k.oid DESC, e.amname "
    ") "
    "SELECT a.oid, a.base, a.base_kind, coalesce(a.takes_text, false), a.name, "
    "  CASE WHEN a.base_kind <> 'c' AND (a.element IS NULL OR EXISTS (SELECT FROM operators p JOIN kinds i "
    "    USING (oid) WHERE p.oid = a.element AND i.typtype <> 'c')) THEN o.name END, "
    "  o.name, a.modifier, concat(" TEXT_CAST_SQL(
        "a.base") ", a.name), a.output "
                  "FROM asked a LEFT JOIN operators o ON o.oid = a.base";

Types *types_new(void)
{
    Types *types = calloc(1, sizeof *types);
    if (types == NULL) {
        abort();
    }
    types->arena = arena_new(4096);
    return types;
}

void types_free(Types *types)
{
    if (types != NULL) {
        HASH_CLEAR(hh, types->entries);
        HASH_CLEAR(hh, types->arrays);
        HASH_CLEAR(hh, types->casts);
        arena_free(types->arena);
        free(types);
    }
}

/* A type of every server's cannot be altered, nor can an operator of every server's. */
static bool is_for_ever(const TargetType *type)
{
    static const char own[] = "OPERATOR(\"pg_catalog\".";
    return type->oid < FIRST_OWN_OID && type->equality != NULL &&
           strncmp(type->equality, own, sizeof own - 1) == 0;
}

/* What was handed out stays in the arena. */
void types_forget(Types *types)
{
    TypeEntry *entry, *next;
    HASH_ITER(hh, types->entries, entry, next)
    {
        if (!is_for_ever(&entry->type)) {
            HASH_DEL(types->entries, entry);
        }
    }
    HASH_CLEAR(hh, types->casts);
    types->casts = NULL;
}

static uint32_t oid_of(const PGresult *result, int row, int column)
{
    return (uint32_t)strtoul(PQgetvalue(result, row, column), NULL, 10);
}

/* The value, or NULL for SQL NULL. */
static const char *keep(Types *types, const PGresult *result, int row, int column)
{
    return PQgetisnull(result, row, column) ? NULL
                                            : arena_strndup(types->arena, PQgetvalue(result, row, column),
                                                            (size_t)PQgetlength(result, row, column));
}

static int load_arrays(Types *types, Database *target, Error *error)
{
    PGresult *result = NULL;
    if (types->arrays != NULL) {
        return 0;
    }
    if (database_query(target, &result, error,
                       "SELECT oid, typarray FROM pg_type WHERE oid < " TEXT_OF(
                           FIRST_OWN_OID) " AND typarray <> 0 AND typtype <> 'p'",
                       0) != 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        ArrayType *type = arena_zalloc(types->arena, sizeof *type);
        type->element = oid_of(result, row, 0);
        type->array = oid_of(result, row, 1);
        HASH_ADD(hh, types->arrays, element, sizeof type->element, type);
    }
    PQclear(result);
    return 0;
}

static void take_types(Types *types, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        TypeEntry *entry = arena_zalloc(types->arena, sizeof *entry);
        entry->type = (TargetType){
            .oid = oid_of(result, row, 0),
            .base = oid_of(result, row, 1),
            .base_kind = PQgetvalue(result, row, 2)[0],
            .takes_text = PQgetvalue(result, row, 3)[0] == 't',
            .cast = keep(types, result, row, 4),
            .equality = keep(types, result, row, 5),
            .key_equality = keep(types, result, row, 6),
            .modifier = (int)strtol(PQgetvalue(result, row, 7), NULL, 10),
            .text_cast = keep(types, result, row, 8),
            .output = keep(types, result, row, 9),
        };
        HASH_ADD(hh, types->entries, type.oid, sizeof entry->type.oid, entry);
    }
}

static int compare_oids(const void *a, const void *b)
{
    uint32_t first = *(const uint32_t *)a, second = *(const uint32_t *)b;
    return (first > second) - (first < second);
}

/* The types that are not known, each once, as an array literal; false when there is none. */
static bool list_unknown(const Types *types, const uint32_t *oids, size_t count, Text *list)
{
    uint32_t *missing = calloc(count + 1, sizeof *missing);
    size_t found = 0;
    if (missing == NULL) {
        abort();
    }
    for (size_t i = 0; i < count; i++) {
        if (types_find(types, oids[i]) == NULL) {
            missing[found++] = oids[i];
        }
    }
    qsort(missing, found, sizeof *missing, compare_oids);
    for (size_t i = 0; i < found; i++) {
        if (i == 0 || missing[i] != missing[i - 1]) {
            text_printf(list, "%c%u", list->size == 0 ? '{' : ',', missing[i]);
        }
    }
    free(missing);
    text_append(list, "}");
    return found != 0;
}

int types_load(Types *types, Database *target, const uint32_t *oids, size_t count, Error *error)
{
    Text list = {0};
    PGresult *result = NULL;
    int status = load_arrays(types, target, error);
    if (status == 0 && list_unknown(types, oids, count, &list)) {
        status = database_often(target, &result, error, types_sql, 1, list.data);
        if (status == 0) {
            take_types(types, result);
        }
    }
    PQclear(result);
    text_free(&list);
    return status == 0 ? 0 : error_context(error, "catalog of the target, types of columns");
}

const TargetType *types_find(const Types *types, uint32_t oid)
{
    TypeEntry *entry;
    HASH_FIND(hh, types->entries, &oid, sizeof oid, entry);
    return entry != NULL ? &entry->type : NULL;
}

uint32_t types_array_of(const Types *types, uint32_t element)
{
    ArrayType *type;
    HASH_FIND(hh, types->arrays, &element, sizeof element, type);
    return type != NULL ? type->array : 0;
}

static int try_cast(Database *target, uint32_t from, const char *cast, Error *error)
{
    char type[16];
    char *name = NULL;
    Text sql = {0};
    snprintf(type, sizeof type, "%u", from);
    int status = database_value(target, &name, error,
                                "SELECT quote_ident(typname) FROM pg_type WHERE oid = $1::oid", 1, type);
    if (status == 0 && name == NULL) {
        status = error_set(error, ERROR_CONFLICT, "the target has no type with OID %u", from);
    } else if (status == 0) {
        text_printf(&sql, "SELECT NULL::pg_catalog.%s::%s", name, cast);
        status = database_execute(target, error, sql.data, 0);
    }
    free(name);
    text_free(&sql);
    return status;
}

int types_castable(Types *types, Database *target, uint32_t from, const char *cast, Error *error)
{
    CastKey key;
    Cast *known;
    memset(&key, 0, sizeof key); /* with its padding: it is hashed */
    key.from = from;
    key.cast = cast;
    HASH_FIND(hh, types->casts, &key, sizeof key, known);
    if (known != NULL) {
        return 0;
    }
    if (try_cast(target, from, cast, error) != 0) {
        error->code = error_is_retryable(error) ? error->code : ERROR_CONFLICT;
        return -1;
    }
    known = arena_zalloc(types->arena, sizeof *known);
    memcpy(&known->key, &key, sizeof key);
    HASH_ADD(hh, types->casts, key, sizeof known->key, known);
    return 0;
}
