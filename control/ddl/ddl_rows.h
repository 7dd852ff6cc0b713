/*
 * penstock.ddl, as the command shows and changes it.
 */
#pragma once

#include <stdbool.h>

#include "command.h"
#include "database.h"
#include "error.h"

/* Prints the newest so many, the oldest of them first. */
int ddl_rows_list(Database *target, const Settings *settings, int count, Error *error) MUST_CHECK;

/* Decides about one that waits; *found is false when this one does not. statement: of "edit", else NULL. */
int ddl_rows_decide(Database *target, const char *migration, const char *id, const char *decision,
                    const char *statement, bool *found, Error *error) MUST_CHECK;
