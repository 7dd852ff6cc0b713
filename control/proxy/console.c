/*
 * A console answers a command only when it is done, and PAUSE is done when the last transaction has ended. So
 * such a command has a connection that can be thrown away: closing it is the only way to stop waiting. No console
 * cancels.
 */
#include "console.h"

#include <string.h>

#include "clock.h"
#include "query.h"

void console_close(Console *console)
{
    database_close(console->database);
    console->database = NULL;
}

static bool is_lost(const Console *console)
{
    return console->database != NULL && PQstatus(database_connection(console->database)) != CONNECTION_OK;
}

static int run_once(Console *console, const char *command, QueryLimits limits, PGresult **out, Error *error)
{
    if (is_lost(console)) {
        console_close(console);
    }
    if (console->database == NULL) {
        if (database_connect_within(console->uri, DATABASE_PROXY, "cutover", limits, &console->database,
                                    error) != 0) {
            return -1;
        }
        database_limit(console->database, (QueryLimits){0});
    }
    Query query = {.sql = command, .what = command, .limits = limits};
    return query_run(console->database, &query, out, error);
}

static int run(Console *console, const char *command, QueryLimits limits, PGresult **out, Error *error)
{
    bool used = console->database != NULL;
    int status = run_once(console, command, limits, out, error);
    if (status != 0 && used && is_lost(console) && error->code != ERROR_LIMIT &&
        error->code != ERROR_INTERRUPTED) {
        *error = (Error){.code = ERROR_NONE};
        status = run_once(console, command, limits, out, error);
    }
    return status;
}

int console_run(Console *console, const char *command, PGresult **out, Error *error)
{
    QueryLimits limits = query_within(answer_limit_ms(&console->limit, console->silent ? 0 : -1));
    int status = run(console, command, limits, out, error);
    console->silent = status != 0 && clock_ms() >= limits.deadline; /* of a login or of an answer */
    if (status != 0) {
        return error_context(error, "%s", command);
    }
    return 0;
}

int console_run_within(Console *console, const char *command, int limit_ms, bool (*stop)(void), Error *error)
{
    QueryLimits limits = query_within(limit_ms);
    limits.stop = stop;
    if (run(console, command, limits, NULL, error) == 0) {
        return 0;
    }
    console_close(console);
    if (error->code == ERROR_LIMIT) {
        error_set(error, ERROR_LIMIT, "not done within %.1f s", limit_ms / 1000.0);
    }
    return error_context(error, "%s", command);
}

const char *console_field(const PGresult *result, int row, const char *column)
{
    int number = PQfnumber(result, column);
    return number < 0 || row < 0 || row >= PQntuples(result) ? "" : PQgetvalue(result, row, number);
}

int console_row(const PGresult *result, const char *column, const char *value)
{
    for (int row = 0; row < PQntuples(result); row++) {
        if (strcmp(console_field(result, row, column), value) == 0) {
            return row;
        }
    }
    return -1;
}
