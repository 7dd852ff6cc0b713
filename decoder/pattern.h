/*
 * Lists of patterns, as options give them: `audit.*, public.tmp\_*`.
 *
 * Patterns are separated by commas; spaces around them do not count. A `*` stands for any characters, also none; every
 * other character for itself, upper and lower case being different; a backslash takes the meaning from the one behind it,
 * also from a space at the end.
 */
#pragma once

#include "compat.h"

typedef struct Pattern {
    char *schema; /* NULL in lists of plain names */
    char *name;
} Pattern;

typedef struct PatternList {
    int count;
    Pattern *patterns;
} PatternList;

/*
 * False when text is not such a list: a pattern is empty, a backslash stands at the end, or, for qualified names, one
 * does not have exactly one dot. What *out points to is allocated in the current memory context.
 */
bool pattern_list_parse(const char *text, bool qualified, PatternList *out);

/* True when one of the patterns is met. schema is not read for plain names. */
bool pattern_list_matches(const PatternList *list, const char *schema, const char *name);
