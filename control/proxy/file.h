/*
 * Reads and replaces a configuration file whole.
 *
 * A reader of the file sees the old text or the new one, never a part: the new text is written beside it,
 * synced and renamed over it, with the mode, owner, ACL and extended attributes of the old file. A file that is mounted by
 * itself, or has something that we may not give to a new one, keeps its place, and its bytes are changed. The text that was
 * there stays as FILE.penstock-before. Symbolic links are followed. Not for two writers at a time.
 */
#pragma once

#include "error.h"

/* The whole text of path, which must hold no NUL. The caller frees *text. */
int file_read(const char *path, char **text, Error *error) MUST_CHECK;

/* That path can be replaced, by replacing it with the same text: FILE.penstock-before holds it, too, afterwards. */
int file_check(const char *path, Error *error) MUST_CHECK;

/* Replaces the text of path, keeping the old text beside it. Does nothing when it is the same already. */
int file_replace(const char *path, const char *text, Error *error) MUST_CHECK;

/* The same, leaving the text that an earlier file_replace kept. */
int file_replace_again(const char *path, const char *text, Error *error) MUST_CHECK;
