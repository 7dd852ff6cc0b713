/*
 * Lines of ours in a configuration file, between two comments. Where the file's last line had no end, a third comment stands
 * before them, and goes with them. comment: what begins a comment there.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define BLOCK_BEGIN(comment) comment " penstock: a rehearsal, taken away by itself\n"
#define BLOCK_END(comment) comment " penstock: end of the rehearsal\n"
#define BLOCK_NO_END(comment) "\n" comment " penstock: the line above had no end\n"

/* Where the first of these comments begins and the last one ends; the text's end where that one is missing. False when there are
 * none. */
bool block_find(const char *text, const char *comment, size_t *from, size_t *end);
