/*
 * Whose turn it is with which files. Several proxies may share a configuration file, or one that they include: who changes
 * one has all of its files to himself until the change is in force. Those that share nothing wait for nobody.
 *
 *     file_turns_new ──► file_turns_take (paths) … file_turns_give (the same) ──► file_turns_free, once nobody has any
 *
 * Files are told apart by their real paths on this host. Any thread.
 */
#pragma once

#include <stddef.h>

typedef struct FileTurns FileTurns;

/* Ends the program when there is no memory. */
FileTurns *file_turns_new(void);
void file_turns_free(FileTurns *turns); /* NULL is none */

/* Waits until nobody has any of them. All are taken at once, so that two never wait for each other. */
void file_turns_take(FileTurns *turns, const char *const *paths, size_t count);
void file_turns_give(FileTurns *turns, const char *const *paths, size_t count);
