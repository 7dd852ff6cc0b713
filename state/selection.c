/*
 * The state has the patterns as an array of texts, rule and pattern in turns: in the row of the migration itself, so that no
 * process can die between the two.
 */
#include "selection.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

static const char *const rule_names[SELECTION_RULES] = {
    [SELECTION_ONLY] = "only", [SELECTION_EXCLUDE] = "exclude", [SELECTION_SCHEMA_ONLY] = "schema-only"};

const char *selection_rule_name(SelectionRule rule)
{
    return rule_names[rule];
}

static char *copy_bytes(const char *text, size_t size)
{
    char *copy = strndup(text, size);
    if (copy == NULL) {
        abort();
    }
    return copy;
}

/* Behind the bracket expression that begins at at; at + 1 when it has no end and is a character like others. */
static const char *skip_bracket(const char *at)
{
    const char *end = at + 1;
    end += *end == '!' || *end == '^';
    end += *end == ']';
    end += strcspn(end, "]");
    return *end == ']' ? end + 1 : at + 1;
}

/* How many dots divide the pattern, the first of them, and whether it ends as it should. */
static int count_dots(const char *text, const char **dot)
{
    int dots = 0;
    *dot = NULL;
    for (const char *at = text; *at != '\0';) {
        if (*at == '\\' && at[1] == '\0') {
            return -1;
        }
        if (*at == '.') {
            *dot = dots++ == 0 ? at : *dot;
        }
        at = *at == '\\' ? at + 2 : *at == '[' ? skip_bracket(at) : at + 1;
    }
    return dots;
}

static int compare(const void *a, const void *b)
{
    const SelectionPattern *one = a, *other = b;
    return one->rule != other->rule ? (one->rule > other->rule) - (one->rule < other->rule)
                                    : strcmp(one->text, other->text);
}

static bool has_pattern(const Selection *selection, SelectionRule rule, const char *text)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->patterns[i].rule == rule && strcmp(selection->patterns[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

int selection_add(Selection *selection, SelectionRule rule, const char *text, Error *error)
{
    const char *dot;
    int dots = count_dots(text, &dot);
    bool complete = dots == 0 ? *text != '\0' : dots == 1 && dot > text && dot[1] != '\0';
    if (!complete) {
        error_set(error, ERROR_USAGE, "--%s: \"%s\" is no pattern", rule_names[rule], text);
        return error_hint(error, "SCHEMA.TABLE, or SCHEMA for all that is in it; * and ? stand for any "
                                 "characters, and \\ makes the next one plain, also a dot within a name.");
    }
    if (has_pattern(selection, rule, text)) {
        return 0;
    }
    SelectionPattern *patterns =
        reallocarray(selection->patterns, selection->count + 1, sizeof *selection->patterns);
    if (patterns == NULL) {
        abort();
    }
    selection->patterns = patterns;
    patterns[selection->count++] =
        (SelectionPattern){.rule = rule,
                           .text = copy_bytes(text, strlen(text)),
                           .schema = copy_bytes(text, dot != NULL ? (size_t)(dot - text) : strlen(text)),
                           .name = dot != NULL ? copy_bytes(dot + 1, strlen(dot + 1)) : NULL};
    qsort(patterns, selection->count, sizeof *patterns, compare);
    return 0;
}

void selection_free(Selection *selection)
{
    for (size_t i = 0; i < selection->count; i++) {
        free(selection->patterns[i].text);
        free(selection->patterns[i].schema);
        free(selection->patterns[i].name);
    }
    free(selection->patterns);
    *selection = (Selection){0};
}

bool selection_fits(const SelectionPattern *pattern, SelectionRule rule, const char *schema, const char *name)
{
    return pattern->rule == rule && fnmatch(pattern->schema, schema, 0) == 0 &&
           (pattern->name == NULL || fnmatch(pattern->name, name, 0) == 0);
}

const SelectionPattern *selection_match(const Selection *selection, SelectionRule rule, const char *schema,
                                        const char *name)
{
    for (size_t i = 0; i < selection->count; i++) {
        const SelectionPattern *pattern = &selection->patterns[i];
        if (selection_fits(pattern, rule, schema, name)) {
            return pattern;
        }
    }
    return NULL;
}

int selection_copy(const Selection *selection, Selection *out, Error *error)
{
    *out = (Selection){0};
    for (size_t i = 0; i < selection->count; i++) {
        if (selection_add(out, selection->patterns[i].rule, selection->patterns[i].text, error) != 0) {
            return -1;
        }
    }
    return 0;
}

bool selection_has(const Selection *selection, SelectionRule rule)
{
    for (size_t i = 0; i < selection->count; i++) {
        if (selection->patterns[i].rule == rule) {
            return true;
        }
    }
    return false;
}

bool selection_equal(const Selection *one, const Selection *other)
{
    for (size_t i = 0; i < one->count && one->count == other->count; i++) {
        if (compare(&one->patterns[i], &other->patterns[i]) != 0) {
            return false;
        }
    }
    return one->count == other->count;
}

void selection_describe(const Selection *selection, Text *out)
{
    for (size_t i = 0; i < selection->count; i++) {
        text_printf(out, "%s--%s %s", i > 0 ? " " : "", rule_names[selection->patterns[i].rule],
                    selection->patterns[i].text);
    }
}

static int take_row(Selection *out, const char *rule, const char *pattern, Error *error)
{
    for (SelectionRule known = 0; known < SELECTION_RULES; known++) {
        if (strcmp(rule, rule_names[known]) == 0) {
            return selection_add(out, known, pattern, error);
        }
    }
    return error_set(error, ERROR_STATE, "penstock.migration has a rule of selection \"%s\"", rule);
}

int selection_load(Database *target, const char *migration, Selection *out, Error *error)
{
    PGresult *rows = NULL;
    *out = (Selection){0};
    if (database_query(target, &rows, error,
                       "SELECT selection[n], selection[n + 1] FROM penstock.migration,"
                       " generate_series(1, cardinality(selection), 2) AS n WHERE name = $1",
                       1, migration) != 0) {
        return error_context(error, "reading what is moved");
    }
    int status = 0;
    for (int i = 0; status == 0 && i < PQntuples(rows); i++) {
        status = take_row(out, PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 1), error);
    }
    PQclear(rows);
    if (status != 0) {
        selection_free(out);
    }
    return status;
}

int selection_save(Database *target, const char *migration, const Selection *selection, Error *error)
{
    Text array = {0};
    for (size_t i = 0; i < selection->count; i++) {
        text_array_add(&array, rule_names[selection->patterns[i].rule]);
        text_array_add(&array, selection->patterns[i].text);
    }
    text_array_end(&array);
    int status = database_execute(target, error,
                                  "UPDATE penstock.migration SET selection = $2::text[] WHERE name = $1", 2,
                                  migration, array.data);
    text_free(&array);
    return status == 0 ? 0 : error_context(error, "writing down what is moved");
}
