/*
 * Where a configuration file is: here, on another host, or behind a command of the operator's.
 *
 *     FILE                             a path here
 *     ssh://[USER@]HOST[:PORT]/PATH    by the system's ssh, without a terminal: keys and host keys must be in place
 *     exec:COMMAND                     COMMAND read, and COMMAND write; see docs/proxy.md for its contract
 *
 * Each call reads or replaces a whole text, and has a limit for that where the file is not here (answer_limit.h). `path` is NULL for the file itself, or the absolute path of
 * another that it includes. With keep, what is replaced stays beside it as FILE.penstock-before; for exec that is the
 * command's affair. A Store may be used by one thread at a time.
 */
#pragma once

#include <stdbool.h>

#include "answer_limit.h"
#include "error.h"

typedef struct Store Store;

int store_open(const char *name, Store **out, Error *error) MUST_CHECK;
void store_close(Store *store);

/* How long each call may take from now on. */
void store_limit(Store *store, AnswerLimit limit);

/* As it was named; borrowed. */
const char *store_name(const Store *store);

/* The path of a file here; NULL for the others. Borrowed. */
const char *store_path(const Store *store);

/* Whether an include that is named by a relative path can be found: *out is its path, freed by the caller. */
int store_include(const Store *store, const char *name, char **out, Error *error) MUST_CHECK;

/* What stands for the file in file_turns.h: its path, or for one that is not here a name that programs of this host have for it.
 * The caller frees it. */
char *store_turn(const Store *store);

int store_read(Store *store, const char *path, char **text, Error *error) MUST_CHECK;

/*
 * before is what was read. STORE_CHANGED, with an error, when that is not what is there any more: nothing was done, and who reads it
 * again may try again. For ssh that is looked at by the script that replaces it; exec is told (PENSTOCK_CKSUM), and looks itself.
 */
#define STORE_CHANGED 1
int store_replace(Store *store, const char *path, const char *before, const char *text, bool keep,
                  Error *error) MUST_CHECK;

/* That store_replace works, by replacing the text with what it is. */
int store_check(Store *store, const char *path, Error *error) MUST_CHECK;
