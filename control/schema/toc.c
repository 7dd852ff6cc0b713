/*
 * A line is "215; 1259 16390 TABLE shop orders app"; comments begin with a semicolon.
 */
#include "toc.h"

#include <stdlib.h>
#include <string.h>

static bool begins(const char *text, size_t size, const char *prefix)
{
    size_t length = strlen(prefix);
    return size >= length && memcmp(text, prefix, length) == 0;
}

static bool everywhere(const char *description, size_t size)
{
    return begins(description, size, "SCHEMA - public ") ||
           begins(description, size, "COMMENT - SCHEMA public ") ||
           begins(description, size, "COMMENT - EXTENSION ");
}

/* False when the line is no entry. */
static bool parse_line(const char *line, size_t size, TocEntry *out)
{
    char *end;
    if (size == 0 || line[0] < '0' || line[0] > '9') {
        return false;
    }
    strtoul(line, &end, 10);
    if (*end != ';') {
        return false;
    }
    out->line = line;
    out->size = size;
    out->class_id = (uint32_t)strtoul(end + 1, &end, 10);
    out->object_id = (uint32_t)strtoul(end, &end, 10);
    out->description = *end == ' ' ? end + 1 : end;
    out->skip = everywhere(out->description, size - (size_t)(out->description - line));
    return true;
}

void toc_parse(const char *list, TocEntry **entries, size_t *count)
{
    size_t capacity = 0;
    *entries = NULL;
    *count = 0;
    for (const char *line = list; *line != '\0';) {
        size_t size = strcspn(line, "\n");
        if (*count == capacity) {
            capacity = capacity > 0 ? capacity * 2 : 256;
            *entries = realloc(*entries, capacity * sizeof(**entries));
            if (*entries == NULL) {
                abort();
            }
        }
        if (parse_line(line, size, &(*entries)[*count])) {
            (*count)++;
        }
        line += size + (line[size] == '\n');
    }
}

void toc_write(const TocEntry *entries, size_t count, Text *out)
{
    for (size_t i = 0; i < count; i++) {
        if (!entries[i].skip) {
            text_append_bytes(out, entries[i].line, entries[i].size);
            text_append(out, "\n");
        }
    }
}
