/*
 * Texts for people are UTF-8, whatever the encoding of the database that a name or a message comes from.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "error.h"
#include "utf8.h"

/*
 * Makes text, in place, UTF-8 of at most size - 1 bytes. What is UTF-8 stays as it is; else it is in the encoding of PostgreSQL's
 * that is named, and what is in none that is known here (SQL_ASCII, NULL) gets \xNN for each byte that is no UTF-8.
 */
void encoding_to_utf8(char *text, size_t size, const char *encoding);

/* Message and hint of the error. */
void encoding_error_to_utf8(Error *error, const char *encoding);
