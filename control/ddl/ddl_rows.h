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

/* What the operator decides about one that waits. */
typedef struct DdlDecide {
    const char *id;
    const char *verb;      /* apply, skip, edit */
    const char *statement; /* of "edit", else NULL */
    bool as_target;        /* the statement runs as the applier's own role */
} DdlDecide;

/* Writes it down; *found is false when this one does not wait. */
int ddl_rows_decide(Database *target, const char *migration, const DdlDecide *decide, bool *found,
                    Error *error) MUST_CHECK;
