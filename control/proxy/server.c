/*
 * A physical replica has the system identifier of its primary; every other server has one of its own.
 */
#include "server.h"

#include <stdio.h>
#include <string.h>

#include "patience.h"

#define LOOK_LIMIT_MS 5000

typedef struct Facts {
    char system[32];
    bool in_recovery;
} Facts;

static int ask(PGconn *connection, Facts *out, Error *error)
{
    PGresult *result = NULL;
    int status = PQsendQuery(connection, "SELECT system_identifier, pg_catalog.pg_is_in_recovery()"
                                         "  FROM pg_catalog.pg_control_system()")
                     ? patience_answer(connection, patience_until(LOOK_LIMIT_MS), NULL, error)
                     : error_set(error, ERROR_CONNECTION, "the connection was lost");
    if (status == 0) {
        result = PQgetResult(connection);
        if (PQresultStatus(result) != PGRES_TUPLES_OK) {
            int length;
            const char *words = patience_words(connection, &length);
            status = error_set(error, ERROR_PROXY, "%.*s", length, words);
        }
    }
    if (status == 0) {
        snprintf(out->system, sizeof out->system, "%s", PQgetvalue(result, 0, 0));
        out->in_recovery = *PQgetvalue(result, 0, 1) == 't';
    }
    PQclear(result);
    return status;
}

static int look(const Endpoint *where, const ServerLogin *login, const char *role, Facts *out, Error *error)
{
    const char *const keywords[] = {"host", "port", "dbname", "user", "password", "application_name", NULL};
    const char *const values[] = {
        where->host, where->port, login->database, login->user, login->password, "penstock proxy", NULL};
    PGconn *connection = PQconnectStartParams(keywords, values, 0);
    if (connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection");
    }
    int status = patience_connect(connection, patience_until(LOOK_LIMIT_MS), error);
    if (status == 0) {
        status = ask(connection, out, error);
    }
    PQfinish(connection);
    if (status == 0) {
        return 0;
    }
    error_context(error, "%s %s:%s, as \"%s\"", role, where->host, where->port, login->user);
    return error_hint(error, "Clients of the proxy would meet the same. Nothing was changed.");
}

static int check_replica(const Endpoint *where, const ServerLogin *login, const Facts *primary, Error *error)
{
    Facts facts;
    if (look(where, login, "replica", &facts, error) != 0) {
        return -1;
    }
    if (!facts.in_recovery) {
        return error_set(error, ERROR_USAGE, "%s:%s is no replica: it is not in recovery", where->host,
                         where->port);
    }
    if (strcmp(facts.system, primary->system) != 0) {
        return error_set(error, ERROR_USAGE, "%s:%s is a replica, but not of this primary", where->host,
                         where->port);
    }
    return 0;
}

static int check_mirror(const Endpoint *where, const ServerLogin *login, const Facts *primary,
                        const char *target_system, Error *error)
{
    Facts facts;
    if (look(where, login, "mirror", &facts, error) != 0) {
        return -1;
    }
    if (strcmp(facts.system, primary->system) == 0) {
        return error_set(error, ERROR_USAGE,
                         "mirror %s:%s is the primary, or follows it: everything would be written "
                         "twice",
                         where->host, where->port);
    }
    if (target_system == NULL) {
        error_set(error, ERROR_USAGE, "whether %s:%s is the migration's target is not known", where->host,
                  where->port);
        return error_hint(error,
                          "A mirror repeats writes, which the migration brings there, too. Give --target.");
    }
    if (strcmp(facts.system, target_system) == 0) {
        error_set(error, ERROR_USAGE, "mirror %s:%s is the migration's target", where->host, where->port);
        return error_hint(error, "A mirror repeats writes, which the migration brings there, too.");
    }
    return 0;
}

int server_check_wish(const ProxyWish *wish, const ServerLogin *login, Error *error)
{
    Facts primary;
    if (look(&wish->primary, login, "primary", &primary, error) != 0) {
        return -1;
    }
    if (primary.in_recovery) {
        return error_set(error, ERROR_USAGE, "%s:%s takes no writes: it is a replica", wish->primary.host,
                         wish->primary.port);
    }
    int status = 0;
    for (size_t i = 0; status == 0 && i < wish->replica_count; i++) {
        status = check_replica(&wish->replicas[i], login, &primary, error);
    }
    for (size_t i = 0; status == 0 && i < wish->mirror_count; i++) {
        status = check_mirror(&wish->mirrors[i], login, &primary, wish->target_system, error);
    }
    return status;
}
