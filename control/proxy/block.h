/*
 * Lines of ours in a configuration file, between two comments that name whose they are: several switches may have theirs in one
 * file. Where the file's last line had no end, a third comment stands before them, and goes with the last of them.
 * comment: what begins a comment there.
 */
#pragma once

#include <stdbool.h>

/* Names whose lines they are: a letter for what they are for, and 8 digits for whose; part of the names that the lines define, too. */
typedef struct BlockKey {
    char text[12];
} BlockKey;

/* Of that migration, and what it moves there: so it is the same for every run of it. The same letter and names make the same key. */
BlockKey block_key(char letter, const char *migration, const char *moves);

bool block_stands(const char *text, const char *comment, const BlockKey *key);

/*
 * text with lines as the block of that key, in the place of the one that there is, or behind all else; NULL takes it away: then
 * the text is what it was before, byte for byte, but for what somebody else has changed. The caller frees it.
 */
char *block_put(const char *text, const char *comment, const BlockKey *key, const char *lines);
