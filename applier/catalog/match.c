/*
 * A value travels as the source sent it: binary as the source's base type, else as text. The target converts it by a
 * cast where its column is of another type; whether such a cast exists is asked once, by trying it on NULL (types.c).
 */
#include "match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classify.h"

#define TEXT_OID 25
#define FIRST_UNPINNED_OID 10000

void match_free(ApplyRelation *relation)
{
    if (relation == NULL) {
        return;
    }
    for (uint32_t c = 0; relation->columns != NULL && c < relation->source->column_count; c++) {
        free(relation->columns[c].quoted);
    }
    for (uint32_t i = 0; i < relation->extra_count; i++) {
        free(relation->extra[i]);
    }
    free(relation->extra);
    free(relation->columns);
    origin_free(relation->origin);
    free(relation->qualified);
    free(relation->route);
    free(relation->lane_reason);
    free(relation);
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
    if (table->copy_lsn == NULL && !table->copying) {
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
static int check_cast(Database *target, Types *types, const ApplyRelation *relation, uint32_t base_type,
                      const TargetColumn *column, Error *error)
{
    if (types_castable(types, target, base_type, column->cast, error) == 0) {
        return 0;
    }
    if (error->code == ERROR_CONFLICT) {
        error_hint(error, "give the column the source's type on the target, and start again");
    }
    return error_context(error, "column %s of %s", column->quoted, relation->qualified);
}

/* Makes sure that values stay as they are, or may change. */
static int check_fit(const ApplyRelation *relation, const SourceColumn *source, const FoundColumn *found,
                     Error *error)
{
    const FitSource from = {.type = source->type,
                            .base_type = source->base_type,
                            .typmod = source->typmod,
                            .type_schema = source->type_schema,
                            .type_name = source->type_name,
                            .is_text = source->format == FORMAT_TEXT};
    const FitTarget to = {.base_type = found->base_type,
                          .typmod = found->typmod,
                          .cast = found->cast,
                          .takes_text = found->takes_text};
    char *loss = fit_loss(&from, &to);
    if (loss == NULL) {
        return 0;
    }
    error_set(error, ERROR_CONFLICT, "values of column %s of %s may change on their way: it is %s",
              found->quoted, relation->qualified, loss);
    free(loss);
    return error_hint(
        error,
        "give the column the source's type on the target, and start again; rows that came before may have "
        "changed already: penstock verify tells. If the values may change, start with --lossy-types %s.%s",
        relation->source->schema, relation->source->name);
}

static int fill_column(Database *target, Types *types, const ApplyRelation *relation,
                       const SourceColumn *source, const FoundColumn *found, bool lossy, TargetColumn *column,
                       Error *error)
{
    column->quoted = strdup(found->quoted);
    column->type = found->type;
    column->binary = source->format == FORMAT_BINARY;
    column->cast = column->binary ? found->cast : found->text_cast;
    column->output = found->output;
    column->element_type = column->binary ? source->base_type : TEXT_OID;
    column->array_type = types_array_of(types, column->element_type);
    column->identity_always = found->identity == 'a';
    column->generated = found->generated;
    column->raw = column->binary ? source->base_type == found->base_type : found->takes_text;
    column->equality =
        source->key && classify_match(relation->source) == MATCH_KEY ? found->key_equality : found->equality;
    column->has_equality = column->equality != NULL;
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
    if (!lossy && !found->generated && check_fit(relation, source, found, error) != 0) {
        return -1;
    }
    if (column->binary && source->base_type != found->base_type) {
        return check_cast(target, types, relation, source->base_type, column, error);
    }
    return 0;
}

static char *qualified_name(const SourceRelation *source, const FoundTable *table)
{
    bool routed = table->route_table != NULL;
    char *schema = database_quote(routed ? table->route_schema : source->schema);
    char *name = database_quote(routed ? table->route_table : source->name);
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

static int fill_relation(Database *target, Types *types, ApplyRelation *relation, const FoundTable *table,
                         const FoundColumn **found, bool lossy, Error *error)
{
    const SourceRelation *source = relation->source;
    relation->qualified = qualified_name(source, table);
    if (table->route_table != NULL &&
        asprintf(&relation->route, "%s.%s", table->route_schema, table->route_table) < 0) {
        abort();
    }
    if (match_columns(source, table, found, error) != 0 || match_extra(relation, table, found, error) != 0) {
        return -1;
    }
    relation->columns = calloc(source->column_count + 1, sizeof(*relation->columns));
    for (uint32_t c = 0; c < source->column_count; c++) {
        if (fill_column(target, types, relation, &source->columns[c], found[c], lossy, &relation->columns[c],
                        error) != 0) {
            return -1;
        }
        relation->overriding = relation->overriding || relation->columns[c].identity_always;
    }
    relation->copyable = is_copyable(relation, table);
    relation->match = classify_match(source);
    relation->lane_reason = classify_whole(source, table, found);
    relation->lane_class = relation->lane_reason == NULL ? LANE_SPREAD : LANE_WHOLE;
    relation->partitioned = table->kind == 'p';
    relation->row_sets = relation->match == MATCH_ROW && !table->indexed && relation->extra_count == 0;
    relation->number = table->number;
    relation->locks = table->locks;
    relation->oid = table->oid;
    relation->copy_lsn = UINT64_MAX; /* of one that is not copied yet, every change is left out */
    if (table->copy_lsn != NULL && !lsn_parse(table->copy_lsn, &relation->copy_lsn)) {
        return error_set(error, ERROR_STATE, "copy_lsn of %s is not an LSN", relation->qualified);
    }
    return 0;
}

int match_relation(Database *target, Types *types, const LossyTables *lossy, const SourceRelation *source,
                   const FoundTable *table, ApplyRelation **out, Error *error)
{
    *out = NULL;
    if (check_table(source, table, error) != 0) {
        return -1;
    }
    const FoundColumn **found = calloc(source->column_count + 1, sizeof(*found));
    ApplyRelation *relation = calloc(1, sizeof(*relation));
    relation->source = source;
    int status = fill_relation(target, types, relation, table, found,
                               fit_may_lose(lossy, source->schema, source->name), error);
    free(found);
    if (status != 0) {
        match_free(relation);
        return -1;
    }
    *out = relation;
    return 0;
}
