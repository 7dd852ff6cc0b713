/*
 * Random numbers of the system.
 */
#pragma once

#include <stddef.h>

#include "error.h"

/* Fills size bytes, at most 256. Fails with ERROR_SYSTEM. */
int random_fill(void *bytes, size_t size, Error *error) MUST_CHECK;

enum { RANDOM_NAME_SIZE = 2 * 16 + 1 };

/* Writes a name that nobody else has or can guess: 32 hexadecimal digits. Fails like random_fill. */
int random_name(char out[static RANDOM_NAME_SIZE], Error *error) MUST_CHECK;
