/*
 * The text is walked line by line. A line is "[section]", "key = value", or neither (blank, a comment,
 * %include); the walk keeps the section it is in.
 *
 *     "my db" = host=10.0.0.1 port=5432 password='it''s'   ; only lines that begin with ; or # are comments
 *     ^ key     ^ settings: key, span of the value with its quotes
 */
#include "ini_scan.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

Span scan_trim(Span span)
{
    while (span.start < span.end && isspace((unsigned char)*span.start)) {
        span.start++;
    }
    while (span.end > span.start && isspace((unsigned char)span.end[-1])) {
        span.end--;
    }
    return span;
}

bool span_is(Span span, const char *text)
{
    size_t size = (size_t)(span.end - span.start);
    return strlen(text) == size && strncasecmp(span.start, text, size) == 0;
}

char *span_text(Span span)
{
    return strndup(span.start, (size_t)(span.end - span.start));
}

/* The text of span with the quotes around it, if any, taken off and doubled ones inside made single. */
char *span_unquote(Span span, char quote)
{
    char *out = malloc((size_t)(span.end - span.start) + 1);
    char *to = out;
    bool quoted = span.start < span.end && *span.start == quote;
    for (const char *from = span.start + quoted; from < span.end; from++) {
        if (quoted && *from == quote) {
            if (from + 1 >= span.end || from[1] != quote) {
                break;
            }
            from++;
        }
        *to++ = *from;
    }
    *to = '\0';
    return out;
}

const char *scan_key_end(const char *at, const char *end)
{
    bool quoted = false;
    for (; at < end; at++) {
        if (*at == '"') {
            quoted = !quoted;
        } else if (*at == '=' && !quoted) {
            return at;
        }
    }
    return NULL;
}

bool walk_next(Walk *walk, Line *line)
{
    if (*walk->next == '\0') {
        return false;
    }
    const char *end = walk->next + strcspn(walk->next, "\n");
    Span whole = {walk->next, end > walk->next && end[-1] == '\r' ? end - 1 : end};
    Span text = scan_trim(whole);
    *line = (Line){.whole = whole};
    if (text.start < text.end && *text.start == '[' && text.end[-1] == ']') {
        walk->in_section = span_is(scan_trim((Span){text.start + 1, text.end - 1}), walk->section);
    } else if (text.start < text.end && !strchr(";#%", *text.start)) {
        const char *equals = scan_key_end(text.start, text.end);
        if (equals != NULL) {
            line->key = scan_trim((Span){text.start, equals});
            line->value = scan_trim((Span){equals + 1, text.end});
        }
    }
    line->in_section = walk->in_section;
    walk->next = *end == '\n' ? end + 1 : end;
    return true;
}

/* Steps over one `key = value` of a line's settings; the value's span includes its quotes. */
bool scan_setting(const char **at, const char *end, Span *key, Span *value)
{
    const char *p = *at;
    while (p < end && isspace((unsigned char)*p)) {
        p++;
    }
    key->start = p;
    while (p < end && *p != '=' && !isspace((unsigned char)*p)) {
        p++;
    }
    key->end = p;
    while (p < end && isspace((unsigned char)*p)) {
        p++;
    }
    if (p >= end || *p != '=') {
        return false;
    }
    for (p++; p < end && isspace((unsigned char)*p); p++) {
    }
    value->start = p;
    if (p < end && *p == '\'') {
        for (p++; p < end && (*p != '\'' || (p + 1 < end && p[1] == '\'')); p += *p == '\'' ? 2 : 1) {
        }
        p += p < end;
    } else {
        while (p < end && !isspace((unsigned char)*p)) {
            p++;
        }
    }
    value->end = p;
    *at = p;
    return true;
}

bool scan_find_setting(Span settings, const char *name, Span *key, Span *value)
{
    const char *at = settings.start;
    while (scan_setting(&at, settings.end, key, value)) {
        if (span_is(*key, name)) {
            return true;
        }
    }
    return false;
}

Span scan_settings(const char *line)
{
    const char *end = line + strlen(line);
    const char *equals = scan_key_end(line, end);
    return equals == NULL ? (Span){end, end} : scan_trim((Span){equals + 1, end});
}
