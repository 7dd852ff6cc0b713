/*
 * The text is read as a sequence of items, each a header or a key with its value; every function walks over
 * them and looks at where they begin and end. Inside a value only its nesting matters: strings, so that
 * brackets in them do not count, and comments, so that quotes in those do not.
 */
#include "toml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "toml_scan.h"

typedef struct Item {
    bool is_header;
    bool is_array;               /* [[header]] */
    char *parts[TOML_DEPTH + 1]; /* of the header, or of the key */
    const char *begin;           /* of the line's first word */
    const char *value, *value_end;
    const char *end; /* behind the line end of its last line */
} Item;

static void item_free(Item *item)
{
    for (size_t i = 0; i < TOML_DEPTH; i++) {
        free(item->parts[i]);
        item->parts[i] = NULL;
    }
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

static const char *skip_comment(const char *at)
{
    return *at == '#' ? at + strcspn(at, "\n") : at;
}

/* Blanks, line ends and comments. */
const char *toml_skip_space(const char *at)
{
    while (true) {
        const char *next = skip_comment(at + strspn(at, " \t\r\n"));
        if (next == at) {
            return at;
        }
        at = next;
    }
}

/* What follows a string that begins here; NULL when it does not end. */
const char *toml_skip_string(const char *at)
{
    char quote = *at;
    bool is_long = at[1] == quote && at[2] == quote;
    if (!is_long && at[1] == quote) {
        return at + 2;
    }
    for (at += is_long ? 3 : 1; *at != '\0' && (is_long || *at != '\n'); at++) {
        if (quote == '"' && *at == '\\' && at[1] != '\0') {
            at++;
        } else if (*at == quote && !is_long) {
            return at + 1;
        } else if (*at == quote && at[1] == quote && at[2] == quote) {
            at += 3;
            return at + strspn(at, (char[]){quote, '\0'});
        }
    }
    return NULL;
}

static const char *skip_nested(const char *at)
{
    int depth = 0;
    do {
        at = toml_skip_space(at);
        if (*at == '"' || *at == '\'') {
            at = toml_skip_string(at);
        } else if (*at != '\0') {
            depth += *at == '[' || *at == '{' ? 1 : *at == ']' || *at == '}' ? -1 : 0;
            at++;
        } else {
            return NULL;
        }
    } while (at != NULL && depth > 0);
    return at;
}

static const char *skip_value(const char *at)
{
    if (*at == '"' || *at == '\'') {
        return toml_skip_string(at);
    }
    if (*at == '[' || *at == '{') {
        return skip_nested(at);
    }
    const char *end = at + strcspn(at, "#\r\n");
    while (end > at && (end[-1] == ' ' || end[-1] == '\t')) {
        end--;
    }
    return end > at ? end : NULL;
}

/* A string without its quotes and escapes; other text as it is. */
char *toml_unquote(const char *from, const char *end)
{
    char quote = *from;
    char *out = malloc((size_t)(end - from) + 1), *to = out;
    if (quote != '"' && quote != '\'') {
        memcpy(out, from, (size_t)(end - from));
        out[end - from] = '\0';
        return out;
    }
    size_t marks = end - from >= 6 && from[1] == quote && from[2] == quote ? 3 : 1;
    for (from += marks, end -= marks; from < end; from++) {
        if (quote == '"' && *from == '\\' && from + 1 < end) {
            from++;
            *to++ = *from == 'n' ? '\n' : *from == 't' ? '\t' : *from;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return out;
}

/* a.b."c d": what follows the last part; NULL when it is none. */
static const char *read_path(const char *at, char **parts)
{
    for (size_t count = 0; count < TOML_DEPTH; count++) {
        const char *begin = at = skip_blanks(at);
        at = *at == '"' || *at == '\'' ? toml_skip_string(at) : at + strcspn(at, " \t\r\n.=]#\"'");
        if (at == NULL || at == begin) {
            return NULL;
        }
        parts[count] = toml_unquote(begin, at);
        at = skip_blanks(at);
        if (*at != '.') {
            return at;
        }
        at++;
    }
    return NULL;
}

static const char *read_header(const char *at, Item *item)
{
    item->is_header = true;
    item->is_array = at[1] == '[';
    at = read_path(at + (item->is_array ? 2 : 1), item->parts);
    return at != NULL && *at == ']' && (!item->is_array || at[1] == ']') ? at + (item->is_array ? 2 : 1)
                                                                         : NULL;
}

static const char *read_key(const char *at, Item *item)
{
    at = read_path(at, item->parts);
    if (at == NULL || *at != '=') {
        return NULL;
    }
    item->value = skip_blanks(at + 1);
    return item->value_end = skip_value(item->value);
}

/* 1 with the item at or behind *at, 0 at the end, -1 when it cannot be read. */
static int next_item(const char **at, Item *item)
{
    *item = (Item){0};
    const char *from = toml_skip_space(*at);
    if (*from == '\0') {
        return 0;
    }
    item->begin = from;
    const char *end = *from == '[' ? read_header(from, item) : read_key(from, item);
    if (end != NULL) {
        end = skip_comment(skip_blanks(end));
        end += *end == '\r' ? 1 : 0;
    }
    if (end == NULL || (*end != '\n' && *end != '\0')) {
        item_free(item);
        *at = from;
        return -1;
    }
    *at = item->end = end + (*end == '\n' ? 1 : 0);
    return 1;
}

static bool same_path(char *const *parts, const char *const *path)
{
    size_t i = 0;
    while (parts[i] != NULL && path[i] != NULL && strcmp(parts[i], path[i]) == 0) {
        i++;
    }
    return parts[i] == NULL && path[i] == NULL;
}

static bool is_table(const Item *item, const char *const *table)
{
    return item->is_header && !item->is_array && same_path(item->parts, table);
}

int toml_check(const char *text, Error *error)
{
    const char *at = text;
    Item item;
    int got;
    while ((got = next_item(&at, &item)) > 0) {
        item_free(&item);
    }
    if (got == 0) {
        return 0;
    }
    int line = 1;
    for (const char *c = text; c < at; c++) {
        line += *c == '\n';
    }
    return error_set(error, ERROR_STATE, "line %d cannot be read as TOML", line);
}

bool toml_has_table(const char *text, const char *const *table)
{
    bool found = false;
    Item item;
    while (!found && next_item(&text, &item) > 0) {
        found = is_table(&item, table);
        item_free(&item);
    }
    return found;
}

/* The part below parent in the header's path; NULL when it is not below. */
static const char *part_below(const Item *item, const char *const *parent)
{
    size_t i = 0;
    while (item->parts[i] != NULL && parent[i] != NULL && strcmp(item->parts[i], parent[i]) == 0) {
        i++;
    }
    return item->is_header && !item->is_array && parent[i] == NULL ? item->parts[i] : NULL;
}

/* True when a header before end names the same child of parent. */
static bool seen_before(const char *text, const char *end, const char *const *parent, const char *child)
{
    bool seen = false;
    Item item;
    while (!seen && next_item(&text, &item) > 0) {
        const char *part = item.begin < end ? part_below(&item, parent) : NULL;
        bool past = item.begin >= end;
        seen = part != NULL && strcmp(part, child) == 0;
        item_free(&item);
        if (past) {
            break;
        }
    }
    return seen;
}

char *toml_child(const char *text, const char *const *parent, size_t number)
{
    const char *at = text;
    char *found = NULL;
    Item item;
    while (found == NULL && next_item(&at, &item) > 0) {
        const char *part = part_below(&item, parent);
        if (part != NULL && !seen_before(text, item.begin, parent, part) && number-- == 0) {
            found = strdup(part);
        }
        item_free(&item);
    }
    return found;
}

/* Finds key in table. The item's parts are freed; *header_end is where a new key would go. */
static bool find_key(const char *text, const char *const *table, const char *key, Item *out,
                     const char **header_end)
{
    bool inside = false, found = false;
    *header_end = NULL;
    while (!found && next_item(&text, out) > 0) {
        if (out->is_header) {
            inside = is_table(out, table);
            *header_end = inside ? out->end : *header_end;
        } else {
            found = inside && same_path(out->parts, (const char *const[]){key, NULL});
        }
        item_free(out);
    }
    return found;
}

char *toml_raw(const char *text, const char *const *table, const char *key)
{
    Item item;
    const char *header_end;
    return find_key(text, table, key, &item, &header_end)
               ? strndup(item.value, (size_t)(item.value_end - item.value))
               : NULL;
}

char *toml_text(const char *text, const char *const *table, const char *key)
{
    Item item;
    const char *header_end;
    return find_key(text, table, key, &item, &header_end) ? toml_unquote(item.value, item.value_end) : NULL;
}

/* text with what is between from and to replaced. */
char *toml_replace(const char *text, const char *from, const char *to, const char *with)
{
    size_t before = (size_t)(from - text), middle = strlen(with), after = strlen(to);
    char *out = malloc(before + middle + after + 1);
    memcpy(out, text, before);
    memcpy(out + before, with, middle);
    memcpy(out + before + middle, to, after + 1);
    return out;
}

static char *insert(const char *text, const char *at, const char *key, const char *raw)
{
    bool has_end = at > text && at[-1] == '\n';
    bool returns = has_end && at - text > 1 && at[-2] == '\r';
    size_t size = strlen(key) + strlen(raw) + 8;
    char *line = malloc(size);
    snprintf(line, size, "%s%s = %s%s", has_end ? "" : "\n", key, raw, returns ? "\r\n" : "\n");
    char *out = toml_replace(text, at, at, line);
    free(line);
    return out;
}

int toml_set(char **text, const char *const *table, const char *key, const char *raw, Error *error)
{
    Item item;
    const char *header_end;
    char *edited;
    if (find_key(*text, table, key, &item, &header_end)) {
        edited = raw != NULL ? toml_replace(*text, item.value, item.value_end, raw)
                             : toml_replace(*text, item.begin, item.end, "");
    } else if (raw == NULL) {
        return 0;
    } else if (header_end != NULL) {
        edited = insert(*text, header_end, key, raw);
    } else {
        return error_set(error, ERROR_STATE, "there is no table [%s.%s…]", table[0],
                         table[1] != NULL ? table[1] : "");
    }
    free(*text);
    *text = edited;
    return 0;
}

/* Of these a key needs no quotes. */
#define BARE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* The header of a table below parent, which is called name there. */
static void copy_header(const Item *item, const char *const *parent, const char *name, Text *out)
{
    size_t last = 0;
    while (parent[last + 1] != NULL) {
        last++;
    }
    text_append(out, "[");
    for (size_t i = 0; item->parts[i] != NULL; i++) {
        const char *part = i == last ? name : item->parts[i];
        bool bare = *part != '\0' && strspn(part, BARE) == strlen(part);
        char *quoted = bare ? NULL : toml_quote(part);
        text_printf(out, "%s%s", i > 0 ? "." : "", bare ? part : quoted);
        free(quoted);
    }
    text_append(out, "]\n");
}

char *toml_copy(const char *text, const char *const *table, const char *name)
{
    Text out = {0};
    Item item;
    bool inside = false;
    text_append(&out, "");
    while (next_item(&text, &item) > 0) {
        if (item.is_header) {
            inside = is_table(&item, table) || part_below(&item, table) != NULL;
        }
        if (inside && item.is_header) {
            copy_header(&item, table, name, &out);
        } else if (inside) {
            text_append_bytes(&out, item.begin, (size_t)(item.end - item.begin));
            text_append(&out, item.end[-1] == '\n' ? "" : "\n");
        }
        item_free(&item);
    }
    return out.data;
}

char *toml_quote(const char *value)
{
    char *out = malloc(2 * strlen(value) + 3), *to = out;
    *to++ = '"';
    for (; *value != '\0'; value++) {
        if (*value == '"' || *value == '\\') {
            *to++ = '\\';
        }
        *to++ = *value;
    }
    *to++ = '"';
    *to = '\0';
    return out;
}
