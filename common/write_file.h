/*
 * Files that are there whole or not at all: the new text is written beside the file, synced, and renamed over it; the folder is
 * synced, too. Who reads it meanwhile, or dies, finds the old text or the new one. Not for two writers at a time.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

/*
 * Makes path hold these bytes; mode is that of a new file (0600, or 0666 for what the umask allows). ERROR_SYSTEM with the path,
 * and nothing left beside it, where that fails.
 */
int write_file(const char *path, const char *text, size_t size, mode_t mode, Error *error) MUST_CHECK;

/* Writes all of it to fd and syncs it. -1 with errno. */
int write_bytes(int fd, const char *text, size_t size);

/* Syncs the folder that path lies in, as far as that is possible. */
void write_folder(const char *path);
