/*
 * What a run opens before its first step, and closes after its last: both servers, the migration with its lock, the
 * proxies. Two sides have two names each: source and target, which stay, and leaving and entering, which the road
 * decides.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cutover.h"
#include "lock.h"
#include "text.h"

static void endpoint_of(Database *database, Endpoint *out)
{
    PGconn *connection = database_connection(database);
    snprintf(out->host, sizeof out->host, "%s", PQhost(connection));
    snprintf(out->port, sizeof out->port, "%s", PQport(connection));
    snprintf(out->database, sizeof out->database, "%s", PQdb(connection));
}

static int set_address(const Road *road, const char *address, Endpoint *to, Error *error)
{
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || colon[1] == '\0' || strlen(colon + 1) >= sizeof to->port ||
        (size_t)(colon - address) >= sizeof to->host) {
        return error_set(error, ERROR_USAGE, "--%s-address wants HOST:PORT, not \"%s\"", road->to, address);
    }
    snprintf(to->host, sizeof to->host, "%.*s", (int)(colon - address), address);
    snprintf(to->port, sizeof to->port, "%s", colon + 1);
    return 0;
}

static int open_proxies(Cutover *cutover, Error *error)
{
    for (size_t i = 0; i < cutover->options->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy_spec_parse(cutover->options->proxies[i], &proxy->spec, error) != 0) {
            return -1;
        }
        cutover->proxy_count++;
        proxy->operations = proxy_operations(&proxy->spec, error);
        if (proxy->operations == NULL || proxy->operations->open(&proxy->spec, cutover->context.from.database,
                                                                 &proxy->proxy, error) != 0) {
            return -1;
        }
        cutover->holds = cutover->holds || proxy->operations->holds;
    }
    return 0;
}

/* No statement of ours may wait for longer than clients may be held. */
static int bound_statements(Database *database, const CutoverOptions *options, Error *error)
{
    char sql[128];
    int ms = (int)(options->hold_limit * 1000);
    snprintf(sql, sizeof sql, "SET statement_timeout = %d; SET lock_timeout = %d", ms, ms / 2);
    return database_execute(database, error, sql, 0);
}

static int open_target(Cutover *cutover, Error *error)
{
    bool exists;
    if (database_connect(cutover->settings->target, DATABASE_TARGET, cutover->road->operation,
                         &cutover->target, error) != 0 ||
        state_exists(cutover->target, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "there is no migration on the target");
        return error_hint(error, "penstock copy begins one.");
    }
    if (lock_control(cutover->target, cutover->settings->migration, error) != 0 ||
        state_load(cutover->target, cutover->settings->migration, &cutover->migration, error) != 0 ||
        bound_statements(cutover->target, cutover->options, error) != 0) {
        return -1;
    }
    cutover->final_lsn = cutover->migration.final_lsn;
    return 0;
}

/* That --source is the source of this migration and not some other server. */
static int check_identity(Cutover *cutover, Error *error)
{
    char *identifier = NULL;
    if (database_value(cutover->source, &identifier, error,
                       "SELECT system_identifier FROM pg_control_system()", 0) != 0) {
        return -1;
    }
    bool same = identifier != NULL && strcmp(identifier, cutover->migration.source_system) == 0 &&
                strcmp(PQdb(database_connection(cutover->source)), cutover->migration.source_database) == 0;
    free(identifier);
    return same
               ? 0
               : error_set(error, ERROR_USAGE, "--source is not the database that migration \"%s\" came from",
                           cutover->migration.name);
}

static int open_source(Cutover *cutover, Error *error)
{
    return database_connect(cutover->settings->source, DATABASE_SOURCE, cutover->road->operation,
                            &cutover->source, error) == 0 &&
                   check_identity(cutover, error) == 0
               ? bound_statements(cutover->source, cutover->options, error)
               : -1;
}

/* The probe must meet the side that clients go to. */
static int identify_entering(Cutover *cutover, Error *error)
{
    char *identifier = NULL;
    int status = database_value(cutover->entering, &identifier, error,
                                "SELECT system_identifier FROM pg_control_system()", 0);
    snprintf(cutover->entering_system, sizeof cutover->entering_system, "%s",
             identifier != NULL ? identifier : "");
    free(identifier);
    return status;
}

/* How the source reaches the target, when it is not said: as we do. The caller frees it. */
static char *default_conninfo(Cutover *cutover)
{
    if (cutover->settings->target != NULL && *cutover->settings->target != '\0') {
        return strdup(cutover->settings->target);
    }
    const PGconn *connection = database_connection(cutover->target);
    Text text = {0};
    text_conninfo_add(&text, "host", PQhost(connection));
    text_conninfo_add(&text, "port", PQport(connection));
    text_conninfo_add(&text, "dbname", PQdb(connection));
    text_conninfo_add(&text, "user", PQuser(connection));
    return text.data;
}

static int choose_sides(Cutover *cutover, Error *error)
{
    const CutoverOptions *options = cutover->options;
    bool forward = cutover->road->leaving == DATABASE_SOURCE;
    cutover->leaving = forward ? cutover->source : cutover->target;
    cutover->entering = forward ? cutover->target : cutover->source;
    cutover->reverse_conninfo =
        options->reverse_conninfo != NULL ? strdup(options->reverse_conninfo) : default_conninfo(cutover);
    ProxyContext *context = &cutover->context;
    *context = (ProxyContext){.source = cutover->leaving,
                              .target = cutover->entering,
                              .drain_limit_ms = (int)(options->drain_limit * 1000),
                              .hold_limit_ms = (int)(options->hold_limit * 1000),
                              .stop = interrupted};
    endpoint_of(cutover->leaving, &context->from);
    endpoint_of(cutover->entering, &context->to);
    if (options->address != NULL && set_address(cutover->road, options->address, &context->to, error) != 0) {
        return -1;
    }
    return identify_entering(cutover, error);
}

int cutover_open(Cutover *cutover, Error *error)
{
    if (cutover->options->proxy_count == 0) {
        error_set(error, ERROR_USAGE, "--proxy is missing");
        return error_hint(error,
                          "Write --proxy 'pgbouncer:ADMIN_URI,config=/path/pgbouncer.ini' or --proxy none.");
    }
    if (open_target(cutover, error) != 0 || open_source(cutover, error) != 0 ||
        choose_sides(cutover, error) != 0) {
        return -1;
    }
    return open_proxies(cutover, error);
}

void cutover_close(Cutover *cutover)
{
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        if (cutover->proxies[i].proxy != NULL) {
            cutover->proxies[i].operations->close(cutover->proxies[i].proxy);
        }
        proxy_spec_free(&cutover->proxies[i].spec);
    }
    database_close(cutover->guard);
    database_close(cutover->snapshot_holder);
    database_close(cutover->source_holder);
    database_close(cutover->source);
    database_close(cutover->target);
    json_decref(cutover->told);
    free(cutover->reverse_conninfo);
}
