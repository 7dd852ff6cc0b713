/*
 * All questions go as one simple query: a transaction pool may give every transaction another server
 * connection.
 */
#include "probe.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "patience.h"

/*
 * No table of the application's is touched: a role may read some and write others, and statement triggers fire for an update of
 * no row, too. That the transaction is not read-only and gets an identifier is what every write needs. Asked of the server
 * alone, whatever operators the database has.
 */
#define QUESTION                                                                                             \
    "SELECT system_identifier, pg_catalog.current_setting('server_version_num'),"                            \
    "       CASE WHEN pg_catalog.pg_is_in_recovery() THEN 'f'"                                               \
    "            WHEN pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool THEN 'f'"         \
    "            WHEN pg_catalog.txid_current() IS NULL THEN 'f' ELSE 't' END"                               \
    "  FROM pg_catalog.pg_control_system();"                                                                 \
    "ROLLBACK"

#define RETRY_MS 100

static int failed(PGconn *connection, const PGresult *result, Error *error)
{
    int length;
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    length = words != NULL ? (int)strlen(words) : 0;
    words = words != NULL ? words : patience_words(connection, &length);
    return error_set(error, ERROR_PROXY, "%.*s", length, words);
}

static int ask(PGconn *connection, bool insists, long long deadline, ProbeAnswer *out, Error *error)
{
    if (!PQsendQuery(connection, insists ? "BEGIN READ WRITE;" QUESTION : "BEGIN;" QUESTION)) {
        return failed(connection, NULL, error);
    }
    int status = 0;
    bool answered = false;
    while (true) {
        if (patience_answer(connection, deadline, NULL, error) != 0) {
            return -1;
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            break;
        }
        if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
            snprintf(out->system_identifier, sizeof out->system_identifier, "%s", PQgetvalue(result, 0, 0));
            out->version = number_int(PQgetvalue(result, 0, 1));
            out->writable = *PQgetvalue(result, 0, 2) == 't';
            answered = true;
        } else if (PQresultStatus(result) != PGRES_COMMAND_OK && status == 0) {
            status = failed(connection, result, error);
        }
        PQclear(result);
    }
    return status != 0 || answered ? status : failed(connection, NULL, error);
}

/* Connects and asks once. */
static int probe_once(const char *uri, bool insists, long long deadline, ProbeAnswer *out, Error *error)
{
    static const char *const keywords[] = {"dbname", "application_name", NULL};
    const char *values[] = {uri, "penstock probe", NULL};
    *out = (ProbeAnswer){0};
    PGconn *connection = PQconnectStartParams(keywords, values, 1);
    if (connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection to the proxy");
    }
    int status = patience_connect(connection, deadline, error);
    if (status == 0) {
        status = ask(connection, insists, deadline, out, error);
    }
    PQfinish(connection);
    return status;
}

/*
 * PgBouncer tells every client of the last login that failed until server_login_retry is over ("… cached error: …
 * (server_login_retry)" in 1.18 to 1.26): that says nothing of now.
 */
static bool is_remembered(const Error *error)
{
    return error->code == ERROR_PROXY && strstr(error->message, "(server_login_retry)") != NULL;
}

int probe(const char *uri, bool insists, int limit_ms, ProbeAnswer *out, Error *error)
{
    long long deadline = patience_until(limit_ms);
    int status = probe_once(uri, insists, deadline, out, error);
    while (status != 0 && is_remembered(error) && clock_ms() + RETRY_MS < deadline) {
        clock_pause_ms(RETRY_MS);
        status = probe_once(uri, insists, deadline, out, error);
    }
    return status == 0 ? 0 : error_context(error, "probe through the proxy");
}
