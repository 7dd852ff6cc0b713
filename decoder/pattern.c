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

/* One pattern of a list, as it stands in the text. */
typedef struct Scanned {
    char *start; /* without the spaces around it: those that a backslash protects belong to it */
    char *end;
    char *dot; /* the last one that no backslash protects */
    int dots;
    char *rest; /* behind the comma; NULL when this is the last one */
} Scanned;

/* The only place that reads backslashes of a list, so that no two places can be of different minds. False: one is the last. */
static bool pattern_scan(char *text, Scanned *out)
{
    while (*text == ' ') {
        text++;
    }
    *out = (Scanned){.start = text, .end = text};
    while (*text != '\0' && *text != ',') {
        bool plain = *text != '\\';
        if (!plain && *++text == '\0') {
            return false;
        }
        if (plain && *text == '.') {
            out->dot = text;
            out->dots++;
        }
        text++;
        if (!plain || text[-1] != ' ') {
            out->end = text;
        }
    }
    out->rest = *text == ',' ? text + 1 : NULL;
    return true;
}

/* Cuts the text into schema and name. */
static bool pattern_cut(const Scanned *scanned, bool qualified, Pattern *out)
{
    *scanned->end = '\0';
    out->name = scanned->start;
    if (qualified) {
        if (scanned->dots != 1) {
            return false;
        }
        *scanned->dot = '\0';
        out->schema = scanned->start;
        out->name = scanned->dot + 1;
    }
    return *out->name != '\0' && (!qualified || *out->schema != '\0');
}

bool pattern_list_parse(const char *text, bool qualified, PatternList *out)
{
    char *rest = pstrdup(text);
    int most = 1;
    for (const char *at = text; *at != '\0'; at++) {
        most += *at == ',';
    }
    *out = (PatternList){.patterns = palloc0((Size)most * sizeof(Pattern))};
    while (rest != NULL) {
        Scanned scanned;
        if (!pattern_scan(rest, &scanned) || !pattern_cut(&scanned, qualified, &out->patterns[out->count])) {
            return false;
        }
        out->count++;
        rest = scanned.rest;
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
