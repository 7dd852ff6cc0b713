/*
 * All questions go as one simple query: a transaction pool may give every transaction another server
 * connection.
 */
#include "probe.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "patience.h"

/*
 * The update of no row is refused by a read-only server like any other; it takes the first table that this
 * user may update. It is made by the query itself, so that a user without any such table still gets an
 * answer.
 */
static const char question[] =
    "BEGIN;"
    "DO $$ DECLARE found text; BEGIN "
    "  SELECT pg_catalog.format('UPDATE %I.%I SET %I = %3$I WHERE false', n.nspname, c.relname, a.attname) "
    "INTO found"
    "    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    "   WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname NOT IN ('pg_catalog', "
    "'information_schema')"
    "     AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND a.attidentity <> 'a'"
    "     AND pg_catalog.has_table_privilege(c.oid, 'SELECT, UPDATE') ORDER BY c.oid, a.attnum LIMIT 1;"
    "  IF found IS NOT NULL AND NOT pg_catalog.current_setting('transaction_read_only')::bool THEN EXECUTE "
    "found; END IF;"
    "END $$;"
    "SELECT system_identifier, pg_catalog.current_setting('server_version_num'),"
    "       CASE WHEN pg_catalog.pg_is_in_recovery() OR "
    "pg_catalog.current_setting('transaction_read_only')::bool"
    "            THEN false ELSE pg_catalog.txid_current() > 0 END"
    "  FROM pg_catalog.pg_control_system();"
    "ROLLBACK";

static int failed(PGconn *connection, const PGresult *result, Error *error)
{
    int length;
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    length = words != NULL ? (int)strlen(words) : 0;
    words = words != NULL ? words : patience_words(connection, &length);
    return error_set(error, ERROR_PROXY, "%.*s", length, words);
}

static int ask(PGconn *connection, long long deadline, ProbeAnswer *out, Error *error)
{
    if (!PQsendQuery(connection, question)) {
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
            out->version = atoi(PQgetvalue(result, 0, 1));
            out->writable = *PQgetvalue(result, 0, 2) == 't';
            answered = true;
        } else if (PQresultStatus(result) != PGRES_COMMAND_OK && status == 0) {
            status = failed(connection, result, error);
        }
        PQclear(result);
    }
    return status != 0 || answered ? status : failed(connection, NULL, error);
}

int probe(const char *uri, int limit_ms, ProbeAnswer *out, Error *error)
{
    static const char *const keywords[] = {"dbname", "application_name", NULL};
    const char *values[] = {uri, "penstock probe", NULL};
    long long deadline = patience_until(limit_ms);
    *out = (ProbeAnswer){0};
    PGconn *connection = PQconnectStartParams(keywords, values, 1);
    if (connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection to the proxy");
    }
    int status = patience_connect(connection, deadline, error);
    if (status == 0) {
        status = ask(connection, deadline, out, error);
    }
    PQfinish(connection);
    return status == 0 ? 0 : error_context(error, "probe through the proxy");
}
