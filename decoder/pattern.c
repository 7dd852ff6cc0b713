/*
 * Matching walks pattern and text side by side. At a mismatch it goes back to the last `*` and lets that take one
 * character more; earlier ones never have to be tried again.
 */
#include "compat.h"
#include "pattern.h"

static bool pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *retry = NULL;
    while (*text != '\0') {
        const char *wanted = *pattern == '\\' ? pattern + 1 : pattern;
        if (*pattern == '*') {
            star = ++pattern;
            retry = text;
        } else if (*pattern != '\0' && *wanted == *text) {
            pattern = wanted + 1;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') {
        pattern++;
    }
    return *pattern == '\0';
}

/* The first of two characters that no backslash protects, or the end; NULL when the text ends with a backslash. */
static char *find_separator(char *text, char separator, char other)
{
    while (*text != '\0' && *text != separator && *text != other) {
        if (*text == '\\' && *++text == '\0') {
            return NULL;
        }
        text++;
    }
    return text;
}

/* Cuts the next pattern off *rest, without the spaces around it. */
static char *next_pattern(char **rest)
{
    char *start = *rest;
    char *end = find_separator(start, ',', ',');
    if (end == NULL) {
        return NULL;
    }
    *rest = *end == ',' ? end + 1 : NULL;
    *end = '\0';
    while (*start == ' ') {
        start++;
    }
    while (end > start && end[-1] == ' ') {
        *--end = '\0';
    }
    return start;
}

static bool pattern_parse(char *text, bool qualified, Pattern *out)
{
    out->name = text;
    if (qualified) {
        char *dot = find_separator(text, '.', '.');
        if (*dot == '\0' || *find_separator(dot + 1, '.', '.') != '\0') {
            return false;
        }
        *dot = '\0';
        out->schema = text;
        out->name = dot + 1;
    }
    return *out->name != '\0' && (!qualified || *out->schema != '\0');
}

bool pattern_list_parse(const char *text, bool qualified, PatternList *out)
{
    char *rest = pstrdup(text);
    *out = (PatternList){.patterns = palloc0((strlen(text) + 1) * sizeof(Pattern))};
    while (rest != NULL) {
        char *pattern = next_pattern(&rest);
        if (pattern == NULL || !pattern_parse(pattern, qualified, &out->patterns[out->count])) {
            return false;
        }
        out->count++;
    }
    return true;
}

bool pattern_list_matches(const PatternList *list, const char *schema, const char *name)
{
    for (int i = 0; i < list->count; i++) {
        const Pattern *pattern = &list->patterns[i];
        if ((pattern->schema == NULL || pattern_matches(pattern->schema, schema)) &&
            pattern_matches(pattern->name, name)) {
            return true;
        }
    }
    return false;
}
