/*
 * One simple query, since a transaction pool may give every transaction another server connection.
 */
#include "identity.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "patience.h"
#include "query.h"

static int failed(PGconn *connection, const PGresult *result, Error *error)
{
    int length;
    const char *words = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    length = words != NULL ? (int)strlen(words) : 0;
    words = words != NULL ? words : patience_words(connection, &length);
    return error_set(error, ERROR_PROXY, "%.*s", length, words);
}

static int ask(PGconn *connection, QueryLimits limits, char system[32], Error *error)
{
    if (!PQsendQuery(connection, "SELECT system_identifier FROM pg_catalog.pg_control_system()")) {
        return failed(connection, NULL, error);
    }
    if (query_await(connection, limits, error) != 0) {
        return -1;
    }
    PGresult *result = PQgetResult(connection);
    int status = 0;
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
        snprintf(system, 32, "%s", PQgetvalue(result, 0, 0));
    } else {
        status = failed(connection, result, error);
    }
    PQclear(result);
    return status;
}

int identity_ask(const char *uri, int limit_ms, char system[32], Error *error)
{
    static const char *const keywords[] = {"dbname", "application_name", NULL};
    const char *values[] = {uri, "penstock rehearsal", NULL};
    QueryLimits limits = query_within(limit_ms);
    PGconn *connection = PQconnectStartParams(keywords, values, 1);
    if (connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection to the proxy");
    }
    int status = query_await_connection(connection, limits, error);
    if (status == 0) {
        status = ask(connection, limits, system, error);
    }
    PQfinish(connection);
    return status;
}
