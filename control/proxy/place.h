/*
 * Whether two ways to name a host mean the same one.
 */
#pragma once

#include <stdbool.h>

/* A socket directory, the loopback's names and addresses, or no name at all. */
bool place_is_local(const char *host);

/* The same text, or both local. */
bool place_same_host(const char *one, const char *other);
