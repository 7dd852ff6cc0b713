/*
 * What of the database is moved, as the operator says it: patterns, kept with the migration from its first copy on, so that
 * nothing is typed twice. left_behind.h turns them into relations.
 *
 *     --only P         what none of these patterns fits stays behind
 *     --exclude P      what one of these fits stays behind, whatever --only says
 *     --schema-only P  what one of these fits is made on the target, without rows
 *
 * A pattern is SCHEMA.RELATION, or SCHEMA for all that is in it. `*`, `?` and `[...]` are as in a shell; a backslash takes the
 * meaning from the character behind it, also from a dot that belongs to a name. Upper and lower case differ; there are no quotes.
 *
 *     Selection selection = {0};
 *     selection_add(&selection, SELECTION_EXCLUDE, "audit.*", error)     or selection_load
 *     selection_match(&selection, SELECTION_EXCLUDE, "audit", "log")     the pattern, or NULL
 *     selection_free(&selection)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "database.h"
#include "error.h"
#include "text.h"

typedef enum SelectionRule {
    SELECTION_ONLY,
    SELECTION_EXCLUDE,
    SELECTION_SCHEMA_ONLY,
    SELECTION_RULES
} SelectionRule;

typedef struct SelectionPattern {
    SelectionRule rule;
    char *text; /* as it was written */
    char *schema;
    char *name; /* NULL: whatever is in the schema */
} SelectionPattern;

/* Zeroed: everything is moved. */
typedef struct Selection {
    SelectionPattern *patterns; /* by rule and text, each once */
    size_t count;
} Selection;

/* "only", "exclude", "schema-only": the option's name, and what the state has. */
const char *selection_rule_name(SelectionRule rule);

/* ERROR_USAGE when text is no pattern. One that is there already changes nothing. */
int selection_add(Selection *selection, SelectionRule rule, const char *text, Error *error) MUST_CHECK;
void selection_free(Selection *selection);

/* Is the pattern one of the rule, and does it fit? Bytes are compared, in whatever encoding both are. */
bool selection_fits(const SelectionPattern *pattern, SelectionRule rule, const char *schema,
                    const char *name);

/* The first one that fits, borrowed; NULL: none does. */
const SelectionPattern *selection_match(const Selection *selection, SelectionRule rule, const char *schema,
                                        const char *name);

/* The caller frees *out. */
int selection_copy(const Selection *selection, Selection *out, Error *error) MUST_CHECK;

bool selection_has(const Selection *selection, SelectionRule rule);
bool selection_equal(const Selection *one, const Selection *other);

/* "--only shop.* --exclude shop.tmp_*", behind what is in out. */
void selection_describe(const Selection *selection, Text *out);

/* Reads what the migration was begun with; empty when there is no such migration. The caller frees *out. */
int selection_load(Database *target, const char *migration, Selection *out, Error *error) MUST_CHECK;

/* Writes it into the row of the migration. */
int selection_save(Database *target, const char *migration, const Selection *selection,
                   Error *error) MUST_CHECK;
