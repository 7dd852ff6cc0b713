/*
 * Whose turn it is with which files. Several proxies may share a configuration file, or one that they include, and several switches
 * a proxy: who changes a file has all of its files to himself from reading them until the change is in force, among the threads
 * of this process and all processes of this host. Those that share nothing wait for nobody.
 *
 *     file_turn_take (paths) … file_turn_give
 *
 * A turn is a lock (flock) on FILE.penstock-lock, beside the file behind its symbolic links. It goes with the process, however that ends, and the
 * file with the turn. In a folder where we may make no file there is no lock, and nothing that we could change. Not to be taken again by
 * who has it. Any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

typedef struct FileTurn FileTurn;

/*
 * Waits, limit_ms at most, until nobody else has any of them. All are taken in one order, so that two never wait for each other.
 * ERROR_LIMIT names the file and the process that has it; ERROR_INTERRUPTED when stop (NULL: never) says so. *out is given back
 * with file_turn_give.
 */
int file_turn_take(const char *const *paths, size_t count, int limit_ms, bool (*stop)(void), FileTurn **out,
                   Error *error) MUST_CHECK;
void file_turn_give(FileTurn *turn); /* NULL is none */
