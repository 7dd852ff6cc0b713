/*
 * A text that grows: SQL statements, array literals and argument lists in the making. Zero-initialised it is
 * empty; data is NULL until something was appended. Running out of memory ends the process, as in arena.h.
 */
#pragma once

#include <stddef.h>

typedef struct Text {
    char *data; /* NUL-terminated */
    size_t size;
    size_t capacity;
} Text;

void text_append(Text *text, const char *piece);
void text_append_bytes(Text *text, const char *data, size_t size);
void text_printf(Text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(Text *text);

/* A copy, which the caller frees; NULL of NULL. */
char *text_copy(const char *text);

/* One more element of a PostgreSQL array literal, quoted; the first call opens the brace. NULL is SQL NULL. */
void text_array_add(Text *text, const char *element);

/* Closes the brace; an array without elements becomes {}. */
void text_array_end(Text *text);

/* What a macro stands for, as a constant string: a number within SQL. */
#define TEXT_OF(macro) TEXT_OF_WORD(macro)
#define TEXT_OF_WORD(word) #word

/* An SQL identifier, always quoted: "na""me". */
void text_name_add(Text *text, const char *name);

/* "schema"."name". */
void text_qualified_add(Text *text, const char *schema, const char *name);

/*
 * An SQL string constant, whatever standard_conforming_strings says. In no encoding of a server is a quote or \ part of a
 * character.
 */
void text_literal_add(Text *text, const char *value);

/* One more `key='value'` of a connection string, quoted as libpq reads it. */
void text_conninfo_add(Text *text, const char *key, const char *value);
