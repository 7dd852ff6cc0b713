/*
 * Edits the text of a TOML file: pure functions from text to text, no I/O.
 *
 * Only the value that is asked for changes; comments, order, spacing and line ends of everything else stay
 * byte for byte. A table is named by its path, a NULL-terminated array of its parts ("pools", "app", "shards",
 * "0"), and must stand in the file under a header of its own: dotted keys and inline tables in its stead are
 * not found. Values are handed out and taken as they are written ("raw"), quotes included.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

#define TOML_DEPTH 8

/* ERROR_STATE, with the line, when text is not TOML as far as we read it. */
int toml_check(const char *text, Error *error) MUST_CHECK;

/* True when the table has a header in text. */
bool toml_has_table(const char *text, const char *const *table);

/* The name of the number-th table below parent, whether it has a header of its own or only tables below it
 * have; in the order of the file, NULL past the last. The caller frees it. */
char *toml_child(const char *text, const char *const *parent, size_t number);

/* The raw value of key in table, over several lines perhaps; NULL when it is not set. The caller frees it. */
char *toml_raw(const char *text, const char *const *table, const char *key);

/* The same as text: a string without its quotes, anything else as it is written. */
char *toml_text(const char *text, const char *const *table, const char *key);

/* Sets key in table to raw, in *text, which another takes the place of; the whole line is taken out when raw is NULL. A key that
 * was not there comes right below the header. ERROR_STATE, with *text as it was, when there is no such table. */
int toml_set(char **text, const char *const *table, const char *key, const char *raw,
             Error *error) MUST_CHECK;

/* Table and all tables below it, under that name in its place: lines that can stand behind text. The caller frees them. */
char *toml_copy(const char *text, const char *const *table, const char *name);

/* value as a quoted string. The caller frees it. */
char *toml_quote(const char *value);
