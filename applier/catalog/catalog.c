/*
 * A relation of the source meets the table of the same name on the target, column by column of the same name. What does
 * not fit is an error here, before any row of it is applied.
 *
 * A value travels as the source sent it: binary as the source's base type, else as text. The target converts it by a
 * cast where its column is of another type; whether such a cast exists is asked once, by trying it on NULL.
 *
 * Results are remembered by the source's relation object, which stands for one version of its definition. The lane class
 * is remembered in the target, with penstock.relation: after a crash lanes stand at different positions, and a change
 * that one lane has applied must not come up in another because somebody added a constraint meanwhile.
 */
#include "catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "classify.h"
#include "lookup.h"
#include "state.h"

#define TEXT_OID 25
#define FIRST_UNPINNED_OID 10000

typedef struct Resolved {
    UT_hash_handle hh;
    const SourceRelation *source;
    ApplyRelation *relation; /* NULL: does not take part */
    bool unknown;            /* … because the migration has never heard of it */
} Resolved;

typedef struct ArrayType {
    UT_hash_handle hh;
    uint32_t element;
    uint32_t array;
} ArrayType;

struct Catalog {
    Database *target;
    char *migration;
    Resolved *resolved;
    ArrayType *arrays; /* of the built-in types */
    uint64_t serial;
};

static void free_relation(ApplyRelation *relation)
{
    if (relation == NULL) {
        return;
    }
    for (uint32_t c = 0; relation->columns != NULL && c < relation->source->column_count; c++) {
        free(relation->columns[c].quoted);
        free(relation->columns[c].cast);
        free(relation->columns[c].equality);
    }
    for (uint32_t i = 0; i < relation->extra_count; i++) {
        free(relation->extra[i]);
    }
    free(relation->extra);
    free(relation->columns);
    free(relation->qualified);
    free(relation->lane_reason);
    free(relation);
}

static int load_array_types(Catalog *catalog, Error *error)
{
    PGresult *result = NULL;
    if (database_query(
            catalog->target, &result, error,
            "SELECT oid, typarray FROM pg_type WHERE oid < 10000 AND typarray <> 0 AND typtype <> 'p'",
            0) != 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(result); row++) {
        ArrayType *type = calloc(1, sizeof(*type));
        type->element = (uint32_t)strtoul(PQgetvalue(result, row, 0), NULL, 10);
        type->array = (uint32_t)strtoul(PQgetvalue(result, row, 1), NULL, 10);
        HASH_ADD(hh, catalog->arrays, element, sizeof(type->element), type);
    }
    PQclear(result);
    return 0;
}

/* 0 when element has no array type, as arrays have none. */
static uint32_t array_type_of(const Catalog *catalog, uint32_t element)
{
    ArrayType *type;
    HASH_FIND(hh, catalog->arrays, &element, sizeof(element), type);
    return type != NULL ? type->array : 0;
}

/* Names of tables and columns come in the source's encoding; so must the answers. */
static int use_source_encoding(Catalog *catalog, Error *error)
{
    Migration migration;
    if (state_load(catalog->target, catalog->migration, &migration, error) != 0) {
        return -1;
    }
    if (PQsetClientEncoding(database_connection(catalog->target), migration.source_encoding) != 0) {
        database_error(catalog->target, NULL, error);
        return error_context(error, "client_encoding %s", migration.source_encoding);
    }
    return 0;
}

int catalog_new(Database *target, const char *migration, Catalog **out, Error *error)
{
    Catalog *catalog = calloc(1, sizeof(*catalog));
    catalog->target = target;
    catalog->migration = strdup(migration);
    if (use_source_encoding(catalog, error) != 0 || load_array_types(catalog, error) != 0) {
        catalog_free(catalog);
        return -1;
    }
    *out = catalog;
    return 0;
}

void catalog_free(Catalog *catalog)
{
    if (catalog == NULL) {
        return;
    }
    Resolved *resolved;
    Resolved *next_resolved;
    HASH_ITER(hh, catalog->resolved, resolved, next_resolved)
    {
        HASH_DEL(catalog->resolved, resolved);
        free_relation(resolved->relation);
        free(resolved);
    }
    ArrayType *type;
    ArrayType *next_type;
    HASH_ITER(hh, catalog->arrays, type, next_type)
    {
        HASH_DEL(catalog->arrays, type);
        free(type);
    }
    free(catalog->migration);
    free(catalog);
}

static int check_table(const SourceRelation *source, const FoundTable *table, Error *error)
{
    if (!table->exists) {
        error_set(error, ERROR_CONFLICT, "the target has no table %s.%s", source->schema, source->name);
        return error_hint(error,
                          "create it as it is on the source, with the rows of its copy, and start again");
    }
    if (table->kind != 'r' && table->kind != 'p') {
        error_set(error, ERROR_CONFLICT, "%s.%s is not a table on the target", source->schema, source->name);
        return error_hint(error, "put a table in its place, as it is on the source, and start again");
    }
    if (table->copy_lsn == NULL) {
        error_set(error, ERROR_STATE, "table %s.%s has not been copied yet", source->schema, source->name);
        return error_hint(error, "run `penstock copy` to its end first");
    }
    return 0;
}

/* Fills found with the target's column of each source column. */
static int match_columns(const SourceRelation *source, const FoundTable *table, const FoundColumn **found,
                         Error *error)
{
    for (uint32_t c = 0; c < source->column_count; c++) {
        for (uint32_t i = 0; i < table->column_count && found[c] == NULL; i++) {
            if (strcmp(table->columns[i].name, source->columns[c].name) == 0) {
                found[c] = &table->columns[i];
            }
        }
        if (found[c] == NULL) {
            error_set(error, ERROR_CONFLICT, "table %s.%s on the target has no column \"%s\"", source->schema,
                      source->name, source->columns[c].name);
            return error_hint(error,
                              "add the column to the target, of type %s.%s as on the source, and start again",
                              source->columns[c].type_schema, source->columns[c].type_name);
        }
        if (source->columns[c].key && found[c]->equality == NULL && classify_match(source) == MATCH_KEY) {
            return error_set(error, ERROR_CONFLICT,
                             "the type of key column \"%s\" of %s.%s has no equality on the target",
                             source->columns[c].name, source->schema, source->name);
        }
    }
    return 0;
}

/* Takes note of the columns that only the target has. */
static int match_extra(ApplyRelation *relation, const FoundTable *table, const FoundColumn *const *found,
                       Error *error)
{
    const SourceRelation *source = relation->source;
    relation->extra = calloc(table->column_count + 1, sizeof(*relation->extra));
    for (uint32_t i = 0; i < table->column_count; i++) {
        const FoundColumn *column = &table->columns[i];
        bool known = false;
        for (uint32_t c = 0; c < source->column_count; c++) {
            known = known || found[c] == column;
        }
        if (known || column->generated) {
            continue;
        }
        relation->extra[relation->extra_count++] = strdup(column->quoted);
        if (column->not_null && !column->has_default && column->identity == '\0') {
            error_set(error, ERROR_CONFLICT,
                      "column %s of %s is NOT NULL without a default, and the source does not have it",
                      column->quoted, relation->qualified);
            return error_hint(error,
                              "give the column a default, or drop NOT NULL, on the target, and start again");
        }
    }
    return 0;
}

/* Makes sure that a binary value of the source's base type can be cast to the target's. */
static int check_cast(const Catalog *catalog, const ApplyRelation *relation, uint32_t base_type,
                      const TargetColumn *target, Error *error)
{
    char type[16];
    char *name = NULL;
    char *sql = NULL;
    snprintf(type, sizeof type, "%u", base_type);
    int failed = database_value(catalog->target, &name, error,
                                "SELECT typname FROM pg_type WHERE oid = $1::oid", 1, type);
    if (failed == 0 && asprintf(&sql, "SELECT NULL::pg_catalog.\"%s\"::%s", name, target->cast) >= 0) {
        failed = database_execute(catalog->target, error, sql, 0);
    }
    free(name);
    free(sql);
    if (failed == 0) {
        return 0;
    }
    if (!error_is_retryable(error)) {
        error->code = ERROR_CONFLICT;
        error_hint(error, "give the column the source's type on the target, and start again");
    }
    return error_context(error, "column %s of %s", target->quoted, relation->qualified);
}

static int fill_column(const Catalog *catalog, const ApplyRelation *relation, const SourceColumn *source,
                       const FoundColumn *found, TargetColumn *column, Error *error)
{
    column->quoted = strdup(found->quoted);
    column->cast = strdup(found->cast);
    column->type = found->type;
    column->binary = source->format == FORMAT_BINARY;
    column->element_type = column->binary ? source->base_type : TEXT_OID;
    column->array_type = array_type_of(catalog, column->element_type);
    column->identity_always = found->identity == 'a';
    column->generated = found->generated;
    column->raw = column->binary ? source->base_type == found->base_type : found->takes_text;
    column->has_equality = found->equality != NULL;
    column->equality = found->equality != NULL ? strdup(found->equality) : NULL;
    if (source->base_type >= FIRST_UNPINNED_OID && column->binary) {
        return error_set(error, ERROR_PROTOCOL,
                         "column %s of %s comes in binary format, but its type is not built in",
                         column->quoted, relation->qualified);
    }
    if (column->array_type == 0) {
        return error_set(error, ERROR_PROTOCOL,
                         "column %s of %s comes in binary format of type %u, which has no arrays",
                         column->quoted, relation->qualified, column->element_type);
    }
    if (column->binary && source->base_type != found->base_type) {
        return check_cast(catalog, relation, source->base_type, column, error);
    }
    return 0;
}

static char *qualified_name(const SourceRelation *source)
{
    char *schema = database_quote(source->schema);
    char *name = database_quote(source->name);
    char *text = NULL;
    if (asprintf(&text, "%s.%s", schema, name) < 0) {
        text = NULL;
    }
    free(schema);
    free(name);
    return text;
}

/* COPY casts nothing, passes by rules, and knows no row without columns. */
static bool is_copyable(const ApplyRelation *relation, const FoundTable *table)
{
    uint32_t written = 0;
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (!relation->columns[c].generated) {
            if (!relation->columns[c].raw) {
                return false;
            }
            written++;
        }
    }
    return written != 0 && !table->ruled;
}

static int fill_relation(const Catalog *catalog, ApplyRelation *relation, const FoundTable *table,
                         const FoundColumn **found, Error *error)
{
    const SourceRelation *source = relation->source;
    relation->qualified = qualified_name(source);
    if (match_columns(source, table, found, error) != 0 || match_extra(relation, table, found, error) != 0) {
        return -1;
    }
    relation->columns = calloc(source->column_count + 1, sizeof(*relation->columns));
    for (uint32_t c = 0; c < source->column_count; c++) {
        if (fill_column(catalog, relation, &source->columns[c], found[c], &relation->columns[c], error) !=
            0) {
            return -1;
        }
        relation->overriding = relation->overriding || relation->columns[c].identity_always;
    }
    relation->copyable = is_copyable(relation, table);
    relation->match = classify_match(source);
    relation->lane_reason = classify_whole(source, table, found);
    relation->lane_class = relation->lane_reason == NULL ? LANE_SPREAD : LANE_WHOLE;
    relation->partitioned = table->kind == 'p';
    relation->number = table->number;
    if (!lsn_parse(table->copy_lsn, &relation->copy_lsn)) {
        return error_set(error, ERROR_STATE, "copy_lsn of %s is not an LSN", relation->qualified);
    }
    return 0;
}

/* The relation made of what was found; NULL with error filled when they do not fit. */
static ApplyRelation *make_relation(Catalog *catalog, const SourceRelation *source, const FoundTable *table,
                                    Error *error)
{
    if (check_table(source, table, error) != 0) {
        return NULL;
    }
    const FoundColumn **found = calloc(source->column_count + 1, sizeof(*found));
    ApplyRelation *relation = calloc(1, sizeof(*relation));
    relation->source = source;
    relation->serial = ++catalog->serial;
    if (fill_relation(catalog, relation, table, found, error) != 0) {
        free_relation(relation);
        relation = NULL;
    }
    free(found);
    return relation;
}

static const char *class_name(LaneClass lane_class)
{
    return lane_class == LANE_SPREAD ? "spread" : "whole";
}

static int remember_class(Catalog *catalog, const ApplyRelation *relation, Error *error)
{
    static const char *const matches[] = {[MATCH_KEY] = "key", [MATCH_ROW] = "row", [MATCH_NONE] = "none"};
    TableClass table_class = {.lane_class = class_name(relation->lane_class),
                              .lane_reason = relation->lane_reason,
                              .match_class = matches[relation->match]};
    return state_set_class(catalog->target, catalog->migration, relation->source->schema,
                           relation->source->name, &table_class, error);
}

/* Keeps the class that an earlier run decided, until it may be changed. */
static int keep_class(Catalog *catalog, ApplyRelation *relation, const FoundTable *table, Error *error)
{
    if (table->lane_class == NULL || strcmp(table->lane_class, class_name(relation->lane_class)) == 0) {
        return remember_class(catalog, relation, error);
    }
    relation->unsettled = true;
    free(relation->lane_reason);
    bool spread = relation->lane_class == LANE_WHOLE;
    relation->lane_class = spread ? LANE_SPREAD : LANE_WHOLE;
    relation->lane_reason = spread ? NULL : strdup("it was so before, and lanes stand at different points");
    return 0;
}

/* A root comes with a truncate, beside its partitions; what belongs to an extension is for that to bring. */
static bool is_unknown(const SourceRelation *source, const FoundTable *table)
{
    bool root = table->exists && table->kind == 'p';
    return !table->listed && !root && !table->of_extension && strcmp(source->schema, "penstock") != 0;
}

/* What the target says now; *relation is NULL for one that takes no part. The caller owns it. */
static int look(Catalog *catalog, const SourceRelation *source, bool settle, ApplyRelation **relation,
                bool *unknown, Error *error)
{
    FoundTable *table = NULL;
    *relation = NULL;
    if (lookup_table(catalog->target, catalog->migration, source, &table, error) != 0) {
        return -1;
    }
    int status = 0;
    *unknown = is_unknown(source, table);
    if (table->listed && !table->recopy) {
        *relation = make_relation(catalog, source, table, error);
        status = *relation == NULL ? -1
                 : settle          ? remember_class(catalog, *relation, error)
                                   : keep_class(catalog, *relation, table, error);
    }
    lookup_free(table);
    if (status != 0) {
        free_relation(*relation);
    }
    return status;
}

static Resolved *add_resolved(Catalog *catalog, const SourceRelation *source)
{
    Resolved *resolved = calloc(1, sizeof(*resolved));
    resolved->source = source;
    HASH_ADD_PTR(catalog->resolved, source, resolved);
    return resolved;
}

int catalog_resolve(Catalog *catalog, const SourceRelation *source, const ApplyRelation **out, Error *error)
{
    Resolved *resolved;
    HASH_FIND_PTR(catalog->resolved, &source, resolved);
    if (resolved == NULL) {
        ApplyRelation *relation;
        bool unknown;
        if (look(catalog, source, false, &relation, &unknown, error) != 0) {
            return -1;
        }
        resolved = add_resolved(catalog, source);
        resolved->relation = relation;
        resolved->unknown = unknown;
    }
    *out = resolved->relation;
    return 0;
}

int catalog_settle(Catalog *catalog, const SourceRelation *source, const ApplyRelation **out, Error *error)
{
    Resolved *resolved;
    ApplyRelation *relation;
    bool unknown;
    if (look(catalog, source, true, &relation, &unknown, error) != 0) {
        return -1;
    }
    HASH_FIND_PTR(catalog->resolved, &source, resolved);
    if (resolved == NULL) {
        resolved = add_resolved(catalog, source);
    }
    free_relation(resolved->relation); /* nothing is under way that could point to it */
    *out = resolved->relation = relation;
    return 0;
}

bool catalog_is_unknown(const Catalog *catalog, const SourceRelation *source)
{
    Resolved *resolved;
    HASH_FIND_PTR(catalog->resolved, &source, resolved);
    return resolved != NULL && resolved->unknown;
}

int catalog_note_unknown(Catalog *catalog, const SourceRelation *source, Lsn commit_lsn, Error *error)
{
    return state_note_unknown(catalog->target, catalog->migration, source->schema, source->name, source->id,
                              commit_lsn, error);
}

int catalog_mark_recopy(Catalog *catalog, const SourceRelation *source, Lsn commit_lsn, Lsn lsn,
                        const char *reason, bool *noted, Error *error)
{
    return state_mark_recopy(catalog->target, catalog->migration, source->schema, source->name, commit_lsn,
                             lsn, reason, noted, error);
}
