/*
 * Asking the person at the keyboard before something begins that cannot be taken back.
 */
#pragma once

#include "command.h"

/*
 * Asks question on the terminal, with "Type yes: " behind it. 0 only when "yes" was typed; ERROR_INTERRUPTED for any other
 * answer. Where nobody can answer (standard input is no terminal, or --json) it asks nothing: ERROR_USAGE, with hint.
 */
int confirm(const Settings *settings, const char *operation, const char *question, const char *hint,
            Error *error) MUST_CHECK;

/* Whether it would ask. */
bool confirm_possible(const Settings *settings);
