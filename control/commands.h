/*
 * The table of the CLI's commands, in the order of a migration. Dispatch, help, the settings file, the manual pages and the
 * shells' completions all read it.
 */
#pragma once

#include "command.h"

/* Ends with NULL. */
extern const Command *const commands[];

/* How many there are. */
size_t commands_count(void);

/* The command of that name, or NULL. */
const Command *commands_find(const char *name);
