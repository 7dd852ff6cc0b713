/*
 * The lane class is remembered in the target, with penstock.relation: after a crash lanes stand at different positions, and
 * a change that one lane has applied must not come up in another because somebody added a constraint meanwhile.
 */
#include "look.h"

#include <stdlib.h>
#include <string.h>

#include "identity.h"
#include "lookup.h"
#include "match.h"
#include "origin_lookup.h"
#include "state.h"

static const char *class_name(LaneClass lane_class)
{
    return lane_class == LANE_SPREAD ? "spread" : "whole";
}

static const char *match_name(MatchClass match)
{
    static const char *const names[] = {[MATCH_KEY] = "key", [MATCH_ROW] = "row", [MATCH_NONE] = "none"};
    return names[match];
}

/* Keeps the class that an earlier run decided, until it may be changed. */
static void keep_class(ApplyRelation *relation, const FoundTable *table)
{
    if (table->lane_class == NULL || strcmp(table->lane_class, class_name(relation->lane_class)) == 0) {
        return;
    }
    relation->unsettled = true;
    free(relation->lane_reason);
    bool spread = relation->lane_class == LANE_WHOLE;
    relation->lane_class = spread ? LANE_SPREAD : LANE_WHOLE;
    relation->lane_reason = spread ? NULL : strdup("it was so before, and lanes stand at different points");
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* True when what is remembered of the table is something else than what holds now. */
static bool is_news(const ApplyRelation *relation, const FoundTable *table)
{
    return !relation->unsettled && !(same(table->lane_class, class_name(relation->lane_class)) &&
                                     same(table->lane_reason, relation->lane_reason) &&
                                     same(table->match_class, match_name(relation->match)));
}

/* A root comes with a truncate, beside its partitions; what belongs to an extension is for that to bring. */
static bool is_unknown(const SourceRelation *source, const FoundTable *table)
{
    bool root = table->exists && table->kind == 'p';
    return !table->listed && !root && !table->of_extension && strcmp(source->schema, "penstock") != 0;
}

/* What does not fit is the answer; an error is everything else. */
static int answer_one(Database *target, Types *types, const LossyTables *lossy, const FoundTable *table,
                      bool settle, Answer *answer, Error *error)
{
    const DefinitionFound *identity = &table->identity;
    answer->unknown = is_unknown(answer->source, table);
    answer->copy_lsn = identity->copy_lsn;
    if (!answer->unknown && (!table->listed || table->recopy)) {
        return 0;
    }
    /* Of one that is yet to be copied there is nothing to mix with. */
    bool copied = table->copy_lsn != NULL;
    if ((copied || answer->unknown) && identity_check(answer->source, identity, error) != 0) {
        answer->replaced = !answer->unknown;
    } else if (answer->unknown) {
        return 0;
    } else if (match_relation(target, types, lossy, answer->source, table, &answer->relation, error) == 0) {
        if (!settle) {
            keep_class(answer->relation, table);
        }
        return 0;
    }
    if (error_is_retryable(error)) {
        return -1;
    }
    answer->error = malloc(sizeof *answer->error);
    if (answer->error == NULL) {
        abort();
    }
    *answer->error = *error;
    return 0;
}

static int remember_classes(Database *target, const Answer *answers, const FoundTable *tables, size_t count,
                            Error *error)
{
    TableClass classes[LOOKUP_RELATIONS];
    size_t news = 0;
    for (size_t i = 0; i < count; i++) {
        const ApplyRelation *relation = answers[i].relation;
        if (relation != NULL && is_news(relation, &tables[i])) {
            classes[news++] = (TableClass){.table = relation->number,
                                           .lane_class = class_name(relation->lane_class),
                                           .lane_reason = relation->lane_reason,
                                           .match_class = match_name(relation->match)};
        }
    }
    return news == 0 ? 0 : state_set_classes(target, classes, news, error);
}

static int remember_columns(Database *target, const SourceRelation *const *sources, const FoundTable *tables,
                            size_t count, Error *error)
{
    const DefinitionFound *found[LOOKUP_RELATIONS];
    for (size_t i = 0; i < count; i++) {
        found[i] = &tables[i].identity;
    }
    return identity_remember(target, sources, found, count, error);
}

/* Which changes the copied rows of the tables have already: of those in parts the target is asked. */
static int look_at_origins(Database *target, Answer *answers, const FoundTable *tables, size_t count,
                           Error *error)
{
    ApplyRelation *relations[LOOKUP_RELATIONS];
    const char *columns[LOOKUP_RELATIONS];
    size_t asked = 0;
    for (size_t i = 0; i < count; i++) {
        if (answers[i].relation == NULL || !tables[i].has_origin) {
            continue;
        }
        if (tables[i].snapshot != NULL) {
            if (origin_of_whole(answers[i].relation, tables[i].snapshot, error) != 0) {
                return -1;
            }
        } else {
            columns[asked] = tables[i].part_column;
            relations[asked++] = answers[i].relation;
        }
    }
    return asked == 0 ? 0 : origin_lookup(target, relations, columns, asked, error);
}

/* One set of LOOKUP_RELATIONS at most. */
static int look_at_set(Database *target, Types *types, const LossyTables *lossy, const char *migration,
                       bool settle, const SourceRelation *const *sources, size_t count, Answer *answers,
                       Error *error)
{
    FoundTable tables[LOOKUP_RELATIONS];
    int status = lookup_tables(target, types, migration, sources, count, tables, error);
    if (status == 0) {
        status = remember_columns(target, sources, tables, count, error);
    }
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = answer_one(target, types, lossy, &tables[i], settle, &answers[i], error);
    }
    if (status == 0) {
        status = look_at_origins(target, answers, tables, count, error);
    }
    if (status == 0) {
        status = remember_classes(target, answers, tables, count, error);
    }
    for (size_t i = 0; i < count; i++) {
        lookup_clear(&tables[i]);
    }
    return status;
}

/* How many from the front make one set. */
static size_t set_size(const SourceRelation *const *sources, size_t count)
{
    size_t size = 1, columns = sources[0]->column_count;
    while (size < count && size < LOOKUP_RELATIONS &&
           columns + sources[size]->column_count <= LOOKUP_COLUMNS) {
        columns += sources[size++]->column_count;
    }
    return size;
}

int look_at_relations(Database *target, Types *types, const LossyTables *lossy, const char *migration,
                      bool settle, const SourceRelation *const *sources, size_t count, Answer *answers,
                      Error *error)
{
    for (size_t i = 0; i < count; i++) {
        answers[i] = (Answer){.source = sources[i]};
    }
    for (size_t done = 0, size; done < count; done += size) {
        size = set_size(sources + done, count - done);
        if (look_at_set(target, types, lossy, migration, settle, sources + done, size, answers + done,
                        error) != 0) {
            return -1;
        }
    }
    return 0;
}

void answers_clear(Answer *answers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        match_free(answers[i].relation);
        free(answers[i].error);
        answers[i].relation = NULL;
        answers[i].error = NULL;
    }
}
