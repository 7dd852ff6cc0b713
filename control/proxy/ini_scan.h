/*
 * Lines, keys and settings in the text of a PgBouncer configuration file. Spans point into the text that was given, which
 * must live as long. Private to ini.c and its neighbours.
 */
#pragma once

#include <stdbool.h>

typedef struct Span {
    const char *start;
    const char *end;
} Span;

typedef struct Line {
    Span whole; /* without the line end */
    Span key;   /* empty when the line has no key */
    Span value;
    bool in_section;
} Line;

typedef struct Walk {
    const char *next;
    const char *section;
    bool in_section;
} Walk;

/* The span without the white space at its ends. */
Span scan_trim(Span span);

/* Whether it is that text, in whatever case. */
bool span_is(Span span, const char *text);

/* A copy, which the caller frees; unquoted: without quotes around it, and with those doubled inside made single. */
char *span_text(Span span);
char *span_unquote(Span span, char quote);

/* The first = outside of double quotes; NULL when there is none. */
const char *scan_key_end(const char *at, const char *end);

/* The next line; false past the last. */
bool walk_next(Walk *walk, Line *line);

/* Steps over one `key = value` of a line's settings; the value's span includes its quotes. False when there is none. */
bool scan_setting(const char **at, const char *end, Span *key, Span *value);

/* The setting of that name among those of a line; false when it has none. */
bool scan_find_setting(Span settings, const char *name, Span *key, Span *value);

/* What is behind the first = of a line. */
Span scan_settings(const char *line);
