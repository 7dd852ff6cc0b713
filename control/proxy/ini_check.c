/*
 * The grammar is that of PgBouncer's own reader (parse_ini_file of its library), on the strict side: what only some of its
 * versions can read is let through, what none of them can is not.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "ini.h"
#include "ini_scan.h"

static bool is_section(Span text)
{
    static const char *const known[] = {"pgbouncer", "databases", "users", "peers"};
    Span name = scan_trim((Span){text.start + 1, text.end - 1});
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (span_is(name, known[i])) {
            return true;
        }
    }
    return false;
}

/* A name in double quotes is for those versions that know it. */
static bool is_key(Span key)
{
    if (key.start < key.end && *key.start == '"') {
        return key.end - key.start > 2 && key.end[-1] == '"';
    }
    for (const char *at = key.start; at < key.end; at++) {
        if (!isalnum((unsigned char)*at) && strchr("_.-*", *at) == NULL) {
            return false;
        }
    }
    return key.start < key.end;
}

/* `key = value` again and again to the end, with quotes that are closed. */
static bool are_settings(Span value)
{
    const char *at = value.start;
    Span name, setting;
    while (scan_setting(&at, value.end, &name, &setting)) {
        bool quoted = setting.start < setting.end && *setting.start == '\'';
        if (name.start == name.end ||
            (quoted && (setting.end - setting.start < 2 || setting.end[-1] != '\''))) {
            return false;
        }
    }
    return scan_trim((Span){at, value.end}).start == value.end;
}

/* NULL, or what is wrong with the line. */
static const char *fault(const Line *line, bool settings, bool (*is_known)(const void *, const char *),
                         const void *context)
{
    Span text = scan_trim(line->whole);
    if (text.start == text.end || strchr(";#", *text.start) != NULL) {
        return NULL;
    }
    if (*text.start == '[') {
        return text.end[-1] == ']' && is_section(text) ? NULL : "there is no such section";
    }
    if (*text.start == '%') {
        return strncmp(text.start, "%include", 8) == 0 && isspace((unsigned char)text.start[8])
                   ? NULL
                   : "only %include begins with a %";
    }
    if (!is_key(line->key)) {
        return "it is no KEY = VALUE";
    }
    if (settings) {
        return are_settings(line->value) ? NULL : "its settings cannot be read";
    }
    char *key = span_text(line->key);
    const char *words = is_known(context, key) ? NULL : "PgBouncer has no setting of that name";
    free(key);
    return words;
}

int ini_check(const char *text, bool (*is_known)(const void *context, const char *key), const void *context,
              Error *error)
{
    Walk walk = {.next = text, .section = "pgbouncer"};
    Line line;
    for (int number = 1; walk_next(&walk, &line); number++) {
        const char *words = fault(&line, !line.in_section, is_known, context);
        if (words == NULL) {
            continue;
        }
        Span key = line.key.start < line.key.end ? line.key : scan_trim(line.whole);
        int size = key.end - key.start < 60 ? (int)(key.end - key.start) : 60;
        error_set(error, ERROR_STATE, "line %d of the configuration, \"%.*s\": %s", number, size, key.start,
                  words);
        return error_hint(error,
                          "At a RELOAD PgBouncer could stop there and take its defaults for the rest. "
                          "Nothing was reloaded. (Included files are counted where they are included.)");
    }
    return 0;
}
