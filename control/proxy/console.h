/*
 * The admin console of PgBouncer and its kin: commands in the simple protocol, answers read by column name.
 *
 * The connection is made when it is first needed and made anew when it was lost.
 */
#pragma once

#include "database.h"
#include "error.h"

typedef struct Console {
    const char *uri; /* borrowed */
    Database *database;
} Console;

void console_close(Console *console);

/* Runs command. The caller frees *out, unless out is NULL. */
int console_run(Console *console, const char *command, PGresult **out, Error *error) MUST_CHECK;

/*
 * Runs command on a connection of its own and waits at most limit_ms for its end; ERROR_LIMIT then,
 * ERROR_INTERRUPTED when stop says so. Either way the connection is gone.
 */
int console_run_within(const char *uri, const char *command, int limit_ms, bool (*stop)(void),
                       Error *error) MUST_CHECK;

/* The text in column of row; "" for NULL or when there is no such column. Borrowed from result. */
const char *console_field(const PGresult *result, int row, const char *column);

/* The row in which column is value; -1 when there is none. */
int console_row(const PGresult *result, const char *column, const char *value);
