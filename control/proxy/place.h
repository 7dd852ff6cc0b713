/*
 * What a name of a host means: the same as another one, this host, a process that is not there.
 */
#pragma once

#include <stdbool.h>

/* A socket directory, the loopback's names and addresses, or no name at all. */
bool place_is_local(const char *host);

/*
 * True when nobody listens where conninfo, a connection string with one host, leads, and that is on this host: the process has
 * ended. Of another host, or one that hangs, nothing is known, which is false.
 */
bool place_is_deserted(const char *conninfo);

/* The same text, or both local. */
bool place_same_host(const char *one, const char *other);
