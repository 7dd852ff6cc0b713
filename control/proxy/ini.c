/*
 * An edit is a splice: the bytes before the line, the new line, the bytes after.
 */
#include "ini.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ini_scan.h"

char *ini_value(const char *text, const char *section, const char *key)
{
    Walk walk = {.next = text, .section = section};
    Line line;
    char *found = NULL;
    while (walk_next(&walk, &line)) {
        if (line.in_section && line.key.start < line.key.end && span_is(line.key, key)) {
            free(found); /* the last one holds */
            found = span_unquote(line.value, '\'');
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
        char *key = span_unquote(line.key, '"');
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

char *ini_line_setting(const char *line, const char *key)
{
    Span name, value;
    return scan_find_setting(scan_settings(line), key, &name, &value) ? span_unquote(value, '\'') : NULL;
}

static char *raw_setting(const char *line, const char *key)
{
    Span name, value;
    return scan_find_setting(scan_settings(line), key, &name, &value) ? span_text(value) : NULL;
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
    Span settings = scan_settings(line);
    Span name, value;
    char *out;
    if (scan_find_setting(settings, key, &name, &value)) {
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

/* --- many --- */

void ini_names_free(char **names)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        free(names[i]);
    }
    free(names);
}

char *ini_line_copy(const char *line, const char *name, const char *database, const Endpoint *where,
                    const char *user, const char *pool_size)
{
    char *copy = line_from_fallback(name, scan_settings(line));
    if (copy != NULL && where != NULL) {
        copy = line_pointed(copy, name, where);
    } else if (copy != NULL && scan_settings(copy).start < scan_settings(copy).end) {
        char *own = ini_line_setting(copy, "dbname");
        copy = own == NULL ? line_with_value(copy, "dbname", database) : copy;
        free(own);
    }
    if (copy != NULL && user != NULL) {
        copy = line_with_value(copy, "user", user);
    }
    if (copy != NULL && pool_size != NULL) {
        copy = line_with_value(copy, "pool_size", pool_size);
    }
    return copy;
}

char *ini_next_setting(const char *text, const char **at, const char *section, const char *key, char **name)
{
    Walk walk = {.next = text, .section = section};
    Line line;
    while (walk_next(&walk, &line)) {
        Span found, value;
        if (line.whole.start >= *at && line.in_section && line.key.start < line.key.end &&
            scan_find_setting(line.value, key, &found, &value)) {
            *at = walk.next;
            if (name != NULL) {
                *name = span_unquote(line.key, '"');
            }
            return span_unquote(value, '\'');
        }
    }
    return NULL;
}
