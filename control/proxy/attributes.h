/*
 * What a file has beside bytes, mode and owner: its ACL and other extended attributes.
 */
#pragma once

#include <stdbool.h>

/*
 * Gives those of the file at from (NULL: none) to the open file to, which has its mode already. False when it could not be
 * given all of them: a security module or missing rights may forbid it.
 */
bool attributes_copy(const char *from, int to);
