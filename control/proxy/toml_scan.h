/*
 * The smallest parts of a TOML text, for toml.c and what edits values. Private to this folder.
 */
#pragma once

/* Behind blanks, line ends and comments. */
const char *toml_skip_space(const char *at);

/* What follows a string that begins here; NULL when it does not end. */
const char *toml_skip_string(const char *at);

/* A string without its quotes and escapes; other text as it is. The caller frees it. */
char *toml_unquote(const char *from, const char *end);

/* text with what is between from and to replaced. The caller frees it. */
char *toml_replace(const char *text, const char *from, const char *to, const char *with);
