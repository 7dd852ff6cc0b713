/*
 * A console answers a command only when it is done, and PAUSE is done when the last transaction has ended. So
 * such a command has a connection that can be thrown away: closing it is the only way to stop waiting.
 */
#include "console.h"

#include <string.h>

#include "patience.h"

void console_close(Console *console)
{
    database_close(console->database);
    console->database = NULL;
}

int console_run(Console *console, const char *command, PGresult **out, Error *error)
{
    if (console->database != NULL && PQstatus(database_connection(console->database)) != CONNECTION_OK) {
        console_close(console);
    }
    if (console->database == NULL &&
        database_connect(console->uri, DATABASE_PROXY, "cutover", &console->database, error) != 0) {
        return -1;
    }
    PGresult *result;
    if (database_query(console->database, &result, error, command, 0) != 0) {
        return error_context(error, "%s", command);
    }
    if (out != NULL) {
        *out = result;
    } else {
        PQclear(result);
    }
    return 0;
}

int console_run_within(const char *uri, const char *command, int limit_ms, bool (*stop)(void), Error *error)
{
    Database *database;
    if (database_connect(uri, DATABASE_PROXY, "cutover", &database, error) != 0) {
        return -1;
    }
    PGconn *connection = database_connection(database);
    int status = PQsendQuery(connection, command)
                     ? patience_answer(connection, patience_until(limit_ms), stop, error)
                     : database_error(database, NULL, error);
    if (status != 0 && error->code == ERROR_LIMIT) {
        error_set(error, ERROR_LIMIT, "not done within %.1f s", limit_ms / 1000.0);
    }
    if (status == 0) {
        PGresult *result = PQgetResult(connection);
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) {
            status = database_error(database, result, error);
        }
        PQclear(result);
    }
    database_close(database);
    return status == 0 ? 0 : error_context(error, "%s", command);
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
