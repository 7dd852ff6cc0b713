/*
 * The text is walked line by line. A line is "[section]", "key = value", or neither (blank, a comment,
 * %include); the walk keeps the section it is in. An edit is a splice: the bytes before the line, the new
 * line, the bytes after.
 *
 *     "my db" = host=10.0.0.1 port=5432 password='it''s'   ; only lines that begin with ; or # are comments
 *     ^ key     ^ settings: key, span of the value with its quotes
 */
#include "ini.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

static Span trim(Span span)
{
    while (span.start < span.end && isspace((unsigned char)*span.start)) {
        span.start++;
    }
    while (span.end > span.start && isspace((unsigned char)span.end[-1])) {
        span.end--;
    }
    return span;
}

static bool span_is(Span span, const char *text)
{
    size_t size = (size_t)(span.end - span.start);
    return strlen(text) == size && strncasecmp(span.start, text, size) == 0;
}

static char *span_text(Span span)
{
    return strndup(span.start, (size_t)(span.end - span.start));
}

/* The text of span with the quotes around it, if any, taken off and doubled ones inside made single. */
static char *unquote(Span span, char quote)
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

static const char *key_end(const char *at, const char *end)
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

static bool walk_next(Walk *walk, Line *line)
{
    if (*walk->next == '\0') {
        return false;
    }
    const char *end = walk->next + strcspn(walk->next, "\n");
    Span whole = {walk->next, end > walk->next && end[-1] == '\r' ? end - 1 : end};
    Span text = trim(whole);
    *line = (Line){.whole = whole};
    if (text.start < text.end && *text.start == '[' && text.end[-1] == ']') {
        walk->in_section = span_is(trim((Span){text.start + 1, text.end - 1}), walk->section);
    } else if (text.start < text.end && !strchr(";#%", *text.start)) {
        const char *equals = key_end(text.start, text.end);
        if (equals != NULL) {
            line->key = trim((Span){text.start, equals});
            line->value = trim((Span){equals + 1, text.end});
        }
    }
    line->in_section = walk->in_section;
    walk->next = *end == '\n' ? end + 1 : end;
    return true;
}

char *ini_value(const char *text, const char *section, const char *key)
{
    Walk walk = {.next = text, .section = section};
    Line line;
    char *found = NULL;
    while (walk_next(&walk, &line)) {
        if (line.in_section && line.key.start < line.key.end && span_is(line.key, key)) {
            free(found); /* the last one holds */
            found = unquote(line.value, '\'');
        }
    }
    return found;
}

/* Finds the one line whose key, unquoted, is name. Returns how many there are; *out is the first. */
static int find_database(const char *text, const char *name, Line *out)
{
    Walk walk = {.next = text, .section = "databases"};
    Line line;
    int found = 0;
    while (walk_next(&walk, &line)) {
        if (!line.in_section || line.key.start == line.key.end) {
            continue;
        }
        char *key = unquote(line.key, '"');
        if (strcmp(key, name) == 0 && found++ == 0) {
            *out = line;
        }
        free(key);
    }
    return found;
}

static int find_serving(const char *text, const char *name, Line *out, bool *fallback, Error *error)
{
    int found = find_database(text, name, out);
    *fallback = found == 0;
    if (found == 0) {
        found = find_database(text, "*", out);
    }
    if (found == 1) {
        return 0;
    }
    if (found > 1) {
        error_set(error, ERROR_STATE, "[databases] has %d lines for \"%s\"", found, *fallback ? "*" : name);
        return error_hint(error, "Leave one line: which of them the proxy uses is not for us to guess.");
    }
    error_set(error, ERROR_STATE, "[databases] has no line for \"%s\" and none for *", name);
    return error_hint(error,
                      "Name the entry with database=, or the file that holds it with config=: %%include "
                      "is not followed.");
}

int ini_database_line(const char *text, const char *name, char **line, bool *fallback, Error *error)
{
    Line found;
    if (find_serving(text, name, &found, fallback, error) != 0) {
        return -1;
    }
    *line = span_text(found.whole);
    return 0;
}

/* Steps over one `key = value` of a line's settings; the value's span includes its quotes. */
static bool next_setting(const char **at, const char *end, Span *key, Span *value)
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

static bool find_setting(Span settings, const char *name, Span *key, Span *value)
{
    const char *at = settings.start;
    while (next_setting(&at, settings.end, key, value)) {
        if (span_is(*key, name)) {
            return true;
        }
    }
    return false;
}

static Span settings_of(const char *line)
{
    const char *end = line + strlen(line);
    const char *equals = key_end(line, end);
    return equals == NULL ? (Span){end, end} : trim((Span){equals + 1, end});
}

char *ini_line_setting(const char *line, const char *key)
{
    Span name, value;
    return find_setting(settings_of(line), key, &name, &value) ? unquote(value, '\'') : NULL;
}

static char *raw_setting(const char *line, const char *key)
{
    Span name, value;
    return find_setting(settings_of(line), key, &name, &value) ? span_text(value) : NULL;
}

void ini_line_place(const char *line, IniPlace *out)
{
    *out = (IniPlace){.host = raw_setting(line, "host"),
                      .port = raw_setting(line, "port"),
                      .dbname = raw_setting(line, "dbname")};
}

void ini_place_free(IniPlace *place)
{
    free(place->host);
    free(place->port);
    free(place->dbname);
    *place = (IniPlace){0};
}

/* 'it''s', or the value itself when it needs no quotes. */
static char *quote_value(const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:/@-";
    if (*value != '\0' && value[strspn(value, plain)] == '\0') {
        return strdup(value);
    }
    char *out = malloc(2 * strlen(value) + 3);
    char *to = out;
    *to++ = '\'';
    for (; *value != '\0'; value++) {
        if (*value == '\'') {
            *to++ = '\'';
        }
        *to++ = *value;
    }
    *to++ = '\'';
    *to = '\0';
    return out;
}

static char *splice(const char *text, Span out, const char *in)
{
    char *result = NULL;
    if (asprintf(&result, "%.*s%s%s", (int)(out.start - text), text, in, out.end) < 0) {
        abort();
    }
    return result;
}

/* line, which is freed, with the setting key changed, added or (raw is NULL) taken out. raw has its quotes. */
static char *line_with(char *line, const char *key, const char *raw)
{
    Span settings = settings_of(line);
    Span name, value;
    char *out;
    if (find_setting(settings, key, &name, &value)) {
        if (raw == NULL) {
            value.start = name.start;
            while (value.start > line && isspace((unsigned char)value.start[-1])) {
                value.start--;
            }
        }
        out = splice(line, value, raw != NULL ? raw : "");
    } else if (raw != NULL) {
        char *added = NULL;
        if (asprintf(&added, " %s=%s", key, raw) < 0) {
            abort();
        }
        out = splice(line, (Span){settings.end, settings.end}, added);
        free(added);
    } else {
        return line;
    }
    free(line);
    return out;
}

static char *line_with_value(char *line, const char *key, const char *value)
{
    char *quoted = quote_value(value);
    line = line_with(line, key, quoted);
    free(quoted);
    return line;
}

static char *line_pointed(char *line, const char *name, const Endpoint *where)
{
    line = line_with_value(line, "host", where->host);
    line = line_with_value(line, "port", where->port);
    char *database = ini_line_setting(line, "dbname");
    if (strcmp(database != NULL ? database : name, where->database) != 0) {
        line = line_with_value(line, "dbname", where->database);
    }
    free(database);
    return line;
}

/*
 * The line for name alone that does what the `*` line does. PgBouncer 1.18 reads no quoted name here (the whole file
 * fails to load), so a name that would need quotes gets none.
 */
static char *line_from_fallback(const char *name, Span settings)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    char *line = NULL;
    if (*name == '\0' || name[strspn(name, plain)] != '\0') {
        return NULL;
    }
    if (asprintf(&line, "%s = %.*s", name, (int)(settings.end - settings.start), settings.start) < 0) {
        abort();
    }
    return line;
}

int ini_database_point(const char *text, const char *name, const Endpoint *where, char **out, Error *error)
{
    Line found;
    bool fallback;
    if (find_serving(text, name, &found, &fallback, error) != 0) {
        return -1;
    }
    char *line = fallback ? line_from_fallback(name, found.value) : span_text(found.whole);
    if (line == NULL) {
        error_set(error, ERROR_STATE, "only the * line of [databases] serves \"%s\"", name);
        return error_hint(
            error, "Its name cannot be written there without quotes: give it a line of its own by hand.");
    }
    line = line_pointed(line, name, where);
    if (fallback) {
        bool crlf = *found.whole.end == '\r';
        char *above = NULL;
        if (asprintf(&above, "%s%s", line, crlf ? "\r\n" : "\n") < 0) {
            abort();
        }
        free(line);
        line = above;
        found.whole.end = found.whole.start;
    }
    *out = splice(text, found.whole, line);
    free(line);
    return 0;
}

int ini_database_restore(const char *text, const char *name, const IniPlace *place, char **out, Error *error)
{
    Line found;
    int count = find_database(text, name, &found);
    if (count > 1) {
        return error_set(error, ERROR_STATE,
                         "[databases] has %d lines for \"%s\": cannot put the old one back", count, name);
    }
    if (count == 0) {
        *out = strdup(text);
        return 0;
    }
    char *line = span_text(found.whole);
    line = line_with(line, "host", place->host);
    line = line_with(line, "port", place->port);
    line = line_with(line, "dbname", place->dbname);
    *out = splice(text, found.whole, line);
    free(line);
    return 0;
}
