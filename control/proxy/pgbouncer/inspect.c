/*
 * What would disconnect clients, or hold them for longer than is said, must be found while nobody waits: PgBouncer's own
 * limits run on while it is paused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "file.h"
#include "pgbouncer/pgbouncer.h"
#include "route.h"

#define SESSION_HINT                                                                                         \
    "It cannot be held until every client has left. Use transaction pooling, or --proxy none with the "      \
    "clients stopped."

/* A limit of PgBouncer's, in seconds, that ends clients while they are held. 0 means that there is none. */
static int check_limit(const PGresult *config, const char *name, int hold_limit_ms, Error *error)
{
    double seconds = atof(console_field(config, console_row(config, "key", name), "value"));
    if (seconds <= 0 || seconds * 1000 > hold_limit_ms) {
        return 0;
    }
    error_set(error, ERROR_STATE, "PgBouncer's %s (%g s) is not longer than the hold limit (%g s)", name,
              seconds, hold_limit_ms / 1000.0);
    return error_hint(error, "It would disconnect held clients. Raise it and RELOAD, or lower --hold-limit.");
}

/*
 * A login that PAUSE cuts off counts as a failed one: PgBouncer waits that long before the first login after RESUME, and
 * every client with it.
 */
static int check_retry(const PGresult *config, const ProxyContext *context, Error *error)
{
    double seconds = atof(console_field(config, console_row(config, "key", "server_login_retry"), "value"));
    if (seconds <= 1 || seconds * 1000 <= context->drain_limit_ms) {
        return 0;
    }
    error_set(error, ERROR_STATE,
              "PgBouncer's server_login_retry (%g s) is longer than the drain limit (%g s)", seconds,
              context->drain_limit_ms / 1000.0);
    return error_hint(
        error, "All clients might have to wait that long after the switch. Set server_login_retry = 1 in "
               "its file and RELOAD.");
}

static int check_state(Proxy *proxy, const PGresult *config, const PGresult *databases, int row,
                       const char **mode, Error *error)
{
    *mode = console_field(databases, row, "pool_mode");
    if (**mode == '\0') {
        *mode = console_field(config, console_row(config, "key", "pool_mode"), "value");
    }
    if (strcmp(*mode, "session") == 0) {
        error_set(error, ERROR_STATE, "PgBouncer pools \"%s\" by session", proxy->entry);
        return error_hint(error, SESSION_HINT);
    }
    if (atoi(console_field(databases, row, "paused")) != 0) {
        error_set(error, ERROR_STATE, "\"%s\" is paused in PgBouncer already", proxy->entry);
        return error_hint(error, "Find out by whom; then RESUME it, or penstock cutover --undo.");
    }
    return 0;
}

/* A user may be pooled in another mode than the database. */
static int check_pool_mode(Proxy *proxy, const PGresult *pools, int row, Error *error)
{
    if (strcmp(console_field(pools, row, "pool_mode"), "session") != 0) {
        return 0;
    }
    error_set(error, ERROR_STATE, "PgBouncer pools \"%s\" of user \"%s\" by session", proxy->entry,
              console_field(pools, row, "user"));
    return error_hint(error, SESSION_HINT);
}

static int visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, const char *line,
                       const PGresult *config, ProxyReport *report, Error *error)
{
    PGresult *pools;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, error) != 0) {
        return -1;
    }
    char *forced = ini_line_setting(line, "user");
    char *forced_password = ini_line_setting(line, "password");
    char *auth_file = NULL;
    Error ignored;
    const char *path = console_field(config, console_row(config, "key", "auth_file"), "value");
    if (*path == '\0' || file_read(path, &auth_file, &ignored) != 0) {
        auth_file = NULL;
    }
    int status = 0;
    for (int row = 0; status == 0 && row < PQntuples(pools); row++) {
        const char *user = console_field(pools, row, "user");
        if (strcmp(console_field(pools, row, "database"), proxy->entry) != 0) {
            continue;
        }
        bool is_forced = forced != NULL && strcmp(forced, user) == 0;
        char *password = is_forced && forced_password != NULL ? strdup(forced_password)
                         : auth_file != NULL                  ? credentials_password(auth_file, user)
                                                              : NULL;
        RouteUser route = {.database = proxy->entry,
                           .name = user,
                           .password = password,
                           .server_name = user,
                           .server_password = password};
        status = check_pool_mode(proxy, pools, row, error);
        if (status == 0) {
            status = visit(&proxy->console, context, &route, report, error);
        }
        free(password);
    }
    free(forced);
    free(forced_password);
    free(auth_file);
    PQclear(pools);
    return status;
}

/* What PgBouncer does must be what its file says, or the RELOAD of the switch changes more than the switch. */
static int check_shown(Proxy *proxy, const char *line, const PGresult *databases, int row, Error *error)
{
    char *host = ini_line_setting(line, "host"), *port = ini_line_setting(line, "port");
    const char *shown_host = console_field(databases, row, "host");
    const char *shown_port = console_field(databases, row, "port");
    bool same = row < 0 || ((host == NULL || strcmp(host, shown_host) == 0) &&
                            strcmp(port != NULL ? port : "5432", shown_port) == 0);
    if (!same) {
        error_set(error, ERROR_STATE, "\"%s\" leads to %s:%s in PgBouncer, and to %s:%s in its file",
                  proxy->entry, shown_host, shown_port, host != NULL ? host : "",
                  port != NULL ? port : "5432");
        error_hint(error, "RELOAD it first; is \"%.200s\" the file that it reads?", proxy->config);
    }
    free(host);
    free(port);
    return same ? 0 : -1;
}

static int inspect_line(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                        const PGresult *databases, int row, ProxyReport *report, Error *error)
{
    char *text = NULL, *line = NULL;
    bool fallback;
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    /* The edit of the switch, made for nothing: what cannot be edited must show now. */
    char *edited = NULL;
    int status = ini_database_line(text, proxy->entry, &line, &fallback, error);
    if (status == 0) {
        status = ini_database_point(text, proxy->entry, &context->to, &edited, error);
    }
    free(edited);
    if (status != 0) {
        error_context(error, "%s", proxy->config);
    } else {
        status = check_shown(proxy, line, databases, row, error);
    }
    if (status == 0) {
        status = visit_users(proxy, route_inspect, context, line, config, report, error);
    }
    free(line);
    free(text);
    return status;
}

static int inspect_shown(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                         ProxyReport *report, Error *error)
{
    PGresult *databases;
    const char *mode;
    int row;
    if (pgbouncer_show_entry(proxy, &databases, &row, error) != 0) {
        return -1;
    }
    int status = check_state(proxy, config, databases, row, &mode, error);
    if (status == 0) {
        status = inspect_line(proxy, context, config, databases, row, report, error);
    }
    if (status == 0) {
        snprintf(report->summary, sizeof report->summary, "PgBouncer: \"%s\" at %s:%s, %s pooling",
                 proxy->entry, row >= 0 ? console_field(databases, row, "host") : "*",
                 console_field(databases, row, "port"), mode);
    }
    PQclear(databases);
    return status;
}

int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    *report = (ProxyReport){0};
    PGresult *config;
    if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
        return -1;
    }
    int status = pgbouncer_find_config(proxy, config, error);
    if (status == 0) {
        status = file_check(proxy->config, error);
    }
    if (status == 0) {
        status = check_limit(config, "query_wait_timeout", context->hold_limit_ms, error);
    }
    if (status == 0) {
        status = check_limit(config, "client_login_timeout", context->hold_limit_ms, error);
    }
    if (status == 0) {
        status = check_retry(config, context, error);
    }
    if (status == 0) {
        status = inspect_shown(proxy, context, config, report, error);
    }
    PQclear(config);
    return status;
}

int pgbouncer_visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, ProxyReport *report,
                          Error *error)
{
    PGresult *config;
    char *text = NULL, *line = NULL;
    bool fallback;
    if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
        return -1;
    }
    int status = pgbouncer_read_config(proxy, &text, error);
    if (status == 0) {
        status = ini_database_line(text, proxy->entry, &line, &fallback, error);
    }
    if (status == 0) {
        status = visit_users(proxy, visit, context, line, config, report, error);
    }
    free(line);
    free(text);
    PQclear(config);
    return status;
}

int pgbouncer_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    return pgbouncer_visit_users(proxy, route_find, context, report, error);
}

int pgbouncer_check_shown(Proxy *proxy, const char *text, Error *error)
{
    PGresult *databases;
    char *line = NULL;
    bool fallback;
    int row;
    if (ini_database_line(text, proxy->entry, &line, &fallback, error) != 0) {
        return -1;
    }
    int status = pgbouncer_show_entry(proxy, &databases, &row, error);
    if (status == 0) {
        status = check_shown(proxy, line, databases, row, error);
        PQclear(databases);
    }
    free(line);
    return status;
}
