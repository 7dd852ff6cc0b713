/*
 * The admin console of PgBouncer and its kin: commands in the simple protocol, answers read by column name.
 *
 * The connection is made when it is first needed and made anew when it was lost. Every call has a limit.
 */
#pragma once

#include "answer_limit.h"
#include "database.h"
#include "error.h"

typedef struct Console {
    const char *uri; /* borrowed */
    Database *database;
    AnswerLimit limit;
    bool silent; /* the last answer did not come in time */
} Console;

void console_close(Console *console);

/*
 * Runs a command that is answered at once: within its limit (answer_limit.h). Where the connection turns out to be lost, the proxy
 * having been restarted, the command is tried once more on a new one. The caller frees *out, unless out is NULL.
 */
int console_run(Console *console, const char *command, PGresult **out, Error *error) MUST_CHECK;

/*
 * Runs a command that takes time, and waits at most limit_ms for its end; ERROR_LIMIT then, ERROR_INTERRUPTED when stop says
 * so. Then the connection is closed, which is the only way to stop waiting: the console needs to be one of its own.
 */
int console_run_within(Console *console, const char *command, int limit_ms, bool (*stop)(void),
                       Error *error) MUST_CHECK;

/* The text in column of row; "" for NULL or when there is no such column. Borrowed from result. */
const char *console_field(const PGresult *result, int row, const char *column);

/* The row in which column is value; -1 when there is none. */
int console_row(const PGresult *result, const char *column, const char *value);
