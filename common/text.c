/*
 * Capacity doubles; printf is tried in place and once more with room. Quoting is what the server's array
 * parser and libpq's connection string parser undo: a backslash before each quote and backslash.
 */
#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_reserve(Text *text, size_t more)
{
    size_t need = text->size + more + 1;
    if (need <= text->capacity) {
        return;
    }
    size_t capacity = text->capacity > 0 ? text->capacity : 128;
    while (capacity < need) {
        capacity *= 2;
    }
    char *data = realloc(text->data, capacity);
    if (data == NULL) {
        fputs("penstock: out of memory\n", stderr);
        abort();
    }
    text->data = data;
    text->capacity = capacity;
}

void text_append_bytes(Text *text, const char *data, size_t size)
{
    text_reserve(text, size);
    memcpy(text->data + text->size, data, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void text_append(Text *text, const char *piece)
{
    text_append_bytes(text, piece, strlen(piece));
}

void text_printf(Text *text, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (size > 0) {
        text_reserve(text, (size_t)size);
        vsnprintf(text->data + text->size, (size_t)size + 1, format, again);
        text->size += (size_t)size;
    }
    va_end(again);
}

void text_free(Text *text)
{
    free(text->data);
    *text = (Text){0};
}

char *text_copy(const char *text)
{
    char *copy = text != NULL ? strdup(text) : NULL;
    if (copy == NULL && text != NULL) {
        fputs("penstock: out of memory\n", stderr);
        abort();
    }
    return copy;
}

static void append_escaped(Text *text, const char *value, char quote)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == quote || *c == '\\') {
            text_append_bytes(text, "\\", 1);
        }
        text_append_bytes(text, c, 1);
    }
}

void text_array_add(Text *text, const char *element)
{
    text_append(text, text->size == 0 ? "{" : ",");
    if (element == NULL) {
        text_append(text, "NULL");
        return;
    }
    text_append(text, "\"");
    append_escaped(text, element, '"');
    text_append(text, "\"");
}

void text_array_end(Text *text)
{
    text_append(text, text->size == 0 ? "{}" : "}");
}

void text_name_add(Text *text, const char *name)
{
    text_append(text, "\"");
    for (; *name != '\0'; name++) {
        text_append_bytes(text, *name == '"' ? "\"\"" : name, *name == '"' ? 2 : 1);
    }
    text_append(text, "\"");
}

void text_qualified_add(Text *text, const char *schema, const char *name)
{
    text_name_add(text, schema);
    text_append(text, ".");
    text_name_add(text, name);
}

void text_literal_add(Text *text, const char *value)
{
    text_append(text, strchr(value, '\\') != NULL ? "E'" : "'");
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\'' || *c == '\\') {
            text_append_bytes(text, c, 1);
        }
        text_append_bytes(text, c, 1);
    }
    text_append(text, "'");
}

void text_conninfo_add(Text *text, const char *key, const char *value)
{
    text_printf(text, "%s%s='", text->size == 0 ? "" : " ", key);
    append_escaped(text, value, '\'');
    text_append(text, "'");
}
