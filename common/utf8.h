/*
 * Whether bytes are characters of UTF-8. Pure; of the plugin, too.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the character of UTF-8 at text has, 0 when there is none; 1 for the end. */
size_t encoding_character(const char *text);
bool encoding_is_utf8(const char *text);
