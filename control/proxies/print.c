/*
 * A table of columns: heading, key, and nothing else; widths come from what is in it.
 */
#include "proxies.h"

#include <string.h>

#define CELL 300

typedef struct Column {
    const char *heading, *key;
} Column;

static const Column columns[] = {
    {"PROXY", "proxy"},    {"POOL", "pool"},     {"DATABASE", "database"}, {"ROLE", "role"},
    {"LEADS TO", "place"}, {"WHICH IS", "is"},   {"MODE", "mode"},         {"SPLIT", "split"},
    {"PAUSED", "paused"},  {"ACTIVE", "active"}, {"WAITING", "waiting"},
};

#define COLUMNS (sizeof columns / sizeof *columns)

static void cell(const json_t *row, const char *key, char out[CELL])
{
    const json_t *value = json_object_get(row, key);
    if (strcmp(key, "place") == 0) {
        snprintf(out, CELL, "%s:%s", json_string_value(json_object_get(row, "host")),
                 json_string_value(json_object_get(row, "port")));
    } else if (json_is_string(value)) {
        snprintf(out, CELL, "%s", json_string_value(value));
    } else if (json_is_integer(value)) {
        snprintf(out, CELL, "%lld", (long long)json_integer_value(value));
    } else {
        snprintf(out, CELL, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
    }
}

static void measure(const json_t *rows, size_t widths[COLUMNS])
{
    char text[CELL];
    for (size_t column = 0; column < COLUMNS; column++) {
        widths[column] = strlen(columns[column].heading);
        size_t i;
        json_t *row;
        json_array_foreach(rows, i, row)
        {
            cell(row, columns[column].key, text);
            widths[column] = strlen(text) > widths[column] ? strlen(text) : widths[column];
        }
    }
}

static void put(FILE *out, size_t column, const char *text, const size_t widths[COLUMNS])
{
    if (column + 1 < COLUMNS) {
        fprintf(out, "%-*s  ", (int)widths[column], text);
    } else {
        fprintf(out, "%s\n", text);
    }
}

void proxies_print_rows(const json_t *rows, FILE *out)
{
    size_t widths[COLUMNS], i;
    char text[CELL];
    json_t *row;
    measure(rows, widths);
    for (size_t column = 0; column < COLUMNS; column++) {
        put(out, column, columns[column].heading, widths);
    }
    json_array_foreach(rows, i, row)
    {
        for (size_t column = 0; column < COLUMNS; column++) {
            cell(row, columns[column].key, text);
            put(out, column, text, widths);
        }
    }
}

static const char *word(const json_t *one, const char *key)
{
    const char *text = json_string_value(json_object_get(one, key));
    return text != NULL ? text : "not set";
}

void proxies_print_change(const json_t *change, FILE *out)
{
    const json_t *all = json_object_get(change, "changes");
    size_t i, j;
    json_t *one, *name;
    fprintf(out, "%s%s\n", word(change, "file"), json_array_size(all) == 0 ? ": nothing to change" : "");
    json_array_foreach(all, i, one)
    {
        fprintf(out, "  [");
        json_array_foreach(json_object_get(one, "table"), j, name)
        {
            fprintf(out, "%s%s", j > 0 ? "." : "", json_string_value(name));
        }
        fprintf(out, "] %s\n    from  %s\n    to    %s\n", word(one, "key"), word(one, "before"),
                word(one, "after"));
    }
}
