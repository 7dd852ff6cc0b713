/*
 * Runs a program that is given a text and answers with one, within a limit.
 */
#pragma once

#include "error.h"

/*
 * Runs argv (NULL-terminated; argv[0] is looked for in PATH) with input on its stdin and each name=value of environment, NULL-terminated, added to its
 * environment (both NULL: nothing). *out, when not NULL, is what it wrote to stdout, to be freed by the caller. Past
 * limit_ms the program and its children are killed: ERROR_LIMIT. ERROR_SYSTEM, with the last line that it wrote to stderr,
 * when it cannot be run or does not end with status 0. Blocks; not for a thread that ignores SIGCHLD.
 */
int program_run(const char *const *argv, const char *input, const char *const *environment, int limit_ms,
                char **out, Error *error) MUST_CHECK;
