/*
 * PgBouncer holds by itself: PAUSE waits until no transaction is open and keeps the clients, a RELOAD in
 * between is safe (the paused flag survives it), RESUME lets them go on.
 *
 *     hold: PAUSE     point_at: edit host and port, RELOAD, see it in SHOW DATABASES     release: RESUME
 *
 * PAUSE gets a connection of its own, because closing it is the only way to stop waiting; the database stays
 * paused then, and let_go resumes it. What RELOAD replies is not believed: SHOW DATABASES is. While clients
 * are held, query_wait_timeout and client_login_timeout run on: both must be longer than the hold may take.
 */
#include "proxy.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "credentials.h"
#include "file.h"
#include "probe.h"
#include "text.h"

#define PROBE_LIMIT_MS 5000
#define VERIFY_LIMIT_MS 2000

struct Proxy {
    Console console;
    char *uri;
    char *config;
    char *entry; /* name in [databases] */
};

static void pgbouncer_close(Proxy *proxy)
{
    if (proxy != NULL) {
        console_close(&proxy->console);
        free(proxy->uri);
        free(proxy->config);
        free(proxy->entry);
        free(proxy);
    }
}

static int pgbouncer_open(const ProxySpec *spec, const char *database, Proxy **out, Error *error)
{
    *out = NULL;
    if (spec->admin_uri == NULL) {
        error_set(error, ERROR_USAGE, "--proxy pgbouncer needs the connection string of its admin console");
        return error_hint(error,
                          "Write --proxy 'pgbouncer:postgresql://ADMIN@HOST:PORT/pgbouncer,config=/path/"
                          "pgbouncer.ini'.");
    }
    Proxy *proxy = calloc(1, sizeof *proxy);
    proxy->uri = strdup(spec->admin_uri);
    proxy->console.uri = proxy->uri;
    proxy->config = spec->config != NULL ? strdup(spec->config) : NULL;
    proxy->entry = strdup(spec->database != NULL ? spec->database : database);
    *out = proxy;
    return 0;
}

/* Runs `verb "entry"`. */
static int run_on_entry(Proxy *proxy, const char *verb, Error *error)
{
    char *quoted = database_quote(proxy->entry);
    char command[256];
    snprintf(command, sizeof command, "%s %s", verb, quoted);
    free(quoted);
    return console_run(&proxy->console, command, NULL, error);
}

/* The row of SHOW DATABASES; *row is -1 when PgBouncer has not made it yet from its `*` line. */
static int show_entry(Proxy *proxy, PGresult **out, int *row, Error *error)
{
    if (console_run(&proxy->console, "SHOW DATABASES", out, error) != 0) {
        return -1;
    }
    *row = console_row(*out, "name", proxy->entry);
    return 0;
}

/* --- inspect --- */

static int find_config(Proxy *proxy, const PGresult *config, Error *error)
{
    const char *shown = console_field(config, console_row(config, "key", "conffile"), "value");
    if (proxy->config == NULL && *shown == '/') {
        proxy->config = strdup(shown);
    }
    if (proxy->config == NULL) {
        error_set(error, ERROR_USAGE,
                  "where PgBouncer's configuration file is, is not known (it says \"%s\")", shown);
        return error_hint(error, "Name it: --proxy 'pgbouncer:…,config=/path/pgbouncer.ini'.");
    }
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", proxy->config);
    if (access(dirname(copy), W_OK) != 0) {
        return error_set(error, ERROR_SYSTEM, "cannot replace \"%s\": its folder is not writable",
                         proxy->config);
    }
    return 0;
}

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

static int check_state(Proxy *proxy, const PGresult *config, const PGresult *databases, int row,
                       const char **mode, Error *error)
{
    *mode = console_field(databases, row, "pool_mode");
    if (**mode == '\0') {
        *mode = console_field(config, console_row(config, "key", "pool_mode"), "value");
    }
    if (strcmp(*mode, "session") == 0) {
        error_set(error, ERROR_STATE, "PgBouncer pools \"%s\" by session", proxy->entry);
        return error_hint(
            error, "It cannot be held until every client has left. Use transaction pooling, or --proxy none "
                   "with the clients stopped.");
    }
    if (atoi(console_field(databases, row, "paused")) != 0) {
        error_set(error, ERROR_STATE, "\"%s\" is paused in PgBouncer already", proxy->entry);
        return error_hint(error, "Find out by whom; then RESUME it, or penstock cutover --undo.");
    }
    return 0;
}

/* When uri leads somewhere, it must be the source; then it is good for a probe after the switch. */
static int inspect_route(Proxy *proxy, const ProxyContext *context, const char *uri, ProxyReport *report,
                         Error *error)
{
    ProbeAnswer answer;
    Error ignored;
    char *identifier = NULL;
    if (probe(uri, PROBE_LIMIT_MS, &answer, &ignored) != 0) {
        return 0;
    }
    if (database_value(context->source, &identifier, error,
                       "SELECT system_identifier FROM pg_control_system()", 0) != 0) {
        return -1;
    }
    bool same = identifier != NULL && strcmp(identifier, answer.system_identifier) == 0;
    free(identifier);
    if (!same) {
        return error_set(error, ERROR_STATE, "\"%s\" in PgBouncer does not lead to the source", proxy->entry);
    }
    snprintf(report->probe, sizeof report->probe, "%s", uri);
    return 0;
}

/* What the credentials of one user lead to; the first that gets an answer through the proxy becomes the probe. */
static int inspect_user(Proxy *proxy, const ProxyContext *context, const char *user, const char *password,
                        ProxyReport *report, Error *error)
{
    if (credentials_check(context->source, context->target, &context->to, user, password, error) != 0) {
        return -1;
    }
    if (report->probe[0] != '\0') {
        return 0;
    }
    PGconn *console = database_connection(proxy->console.database);
    Text uri = {0};
    text_conninfo_add(&uri, "host", PQhost(console));
    text_conninfo_add(&uri, "port", PQport(console));
    text_conninfo_add(&uri, "dbname", proxy->entry);
    text_conninfo_add(&uri, "user", user);
    text_conninfo_add(&uri, "password", password != NULL ? password : "");
    int status = inspect_route(proxy, context, uri.data, report, error);
    text_free(&uri);
    return status;
}

static int inspect_users(Proxy *proxy, const ProxyContext *context, const char *line, const PGresult *config,
                         ProxyReport *report, Error *error)
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
        status = inspect_user(proxy, context, user, password, report, error);
        free(password);
    }
    free(forced);
    free(forced_password);
    free(auth_file);
    PQclear(pools);
    return status;
}

static int inspect_line(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                        ProxyReport *report, Error *error)
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
        status = inspect_users(proxy, context, line, config, report, error);
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
    if (show_entry(proxy, &databases, &row, error) != 0) {
        return -1;
    }
    int status = check_state(proxy, config, databases, row, &mode, error);
    if (status == 0) {
        status = inspect_line(proxy, context, config, report, error);
    }
    if (status == 0) {
        snprintf(report->summary, sizeof report->summary, "PgBouncer: \"%s\" at %s:%s, %s pooling",
                 proxy->entry, row >= 0 ? console_field(databases, row, "host") : "*",
                 console_field(databases, row, "port"), mode);
    }
    PQclear(databases);
    return status;
}

static int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    *report = (ProxyReport){0};
    PGresult *config;
    if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
        return -1;
    }
    int status = find_config(proxy, config, error);
    if (status == 0) {
        status = check_limit(config, "query_wait_timeout", context->hold_limit_ms, error);
    }
    if (status == 0) {
        status = check_limit(config, "client_login_timeout", context->hold_limit_ms, error);
    }
    if (status == 0) {
        status = inspect_shown(proxy, context, config, report, error);
    }
    PQclear(config);
    return status;
}

/* --- the configuration file --- */

static int with_config(Proxy *proxy, char **text, Error *error)
{
    if (proxy->config == NULL) {
        PGresult *config;
        if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
            return -1;
        }
        int status = find_config(proxy, config, error);
        PQclear(config);
        if (status != 0) {
            return status;
        }
    }
    return file_read(proxy->config, text, error);
}

static int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error)
{
    char *text = NULL, *line = NULL;
    bool fallback;
    if (with_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_line(text, proxy->entry, &line, &fallback, error);
    if (status == 0) {
        IniPlace place;
        ini_line_place(line, &place);
        *out = json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "config", proxy->config, "entry", proxy->entry,
                         "host", place.host, "port", place.port, "dbname", place.dbname);
        ini_place_free(&place);
    }
    free(line);
    free(text);
    return status;
}

/* Waits until SHOW DATABASES says what the file says. */
static int verify_shown(Proxy *proxy, const char *host, const char *port, Error *error)
{
    char shown[320] = "";
    for (int waited = 0; waited <= VERIFY_LIMIT_MS; waited += 20) {
        PGresult *databases;
        int row;
        if (show_entry(proxy, &databases, &row, error) != 0) {
            return -1;
        }
        bool same = strcmp(console_field(databases, row, "host"), host) == 0 &&
                    strcmp(console_field(databases, row, "port"), port) == 0;
        snprintf(shown, sizeof shown, "%s:%s", console_field(databases, row, "host"),
                 console_field(databases, row, "port"));
        PQclear(databases);
        if (same) {
            return 0;
        }
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
    error_set(error, ERROR_PROXY, "PgBouncer still leads \"%s\" to %s after RELOAD, not to %s:%s",
              proxy->entry, shown, host, port);
    return error_hint(error, "Its log says what it did not like in \"%s\"; is it the file that it reads?",
                      proxy->config);
}

static int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    char *text = NULL, *edited = NULL;
    if (with_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_point(text, proxy->entry, &context->to, &edited, error);
    if (status == 0) {
        status = file_replace(proxy->config, edited, error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "RELOAD", NULL, error);
    }
    if (status == 0) {
        status = verify_shown(proxy, context->to.host, context->to.port, error);
    }
    free(edited);
    free(text);
    return status;
}

/* What PgBouncer shows for a line: its own defaults where nothing is set. */
static int verify_line(Proxy *proxy, const char *text, Error *error)
{
    char *line = NULL;
    bool fallback;
    if (ini_database_line(text, proxy->entry, &line, &fallback, error) != 0) {
        return -1;
    }
    char *host = ini_line_setting(line, "host");
    char *port = ini_line_setting(line, "port");
    int status =
        fallback ? 0 : verify_shown(proxy, host != NULL ? host : "", port != NULL ? port : "5432", error);
    free(host);
    free(port);
    free(line);
    return status;
}

static int pgbouncer_restore(Proxy *proxy, const json_t *remembered, Error *error)
{
    IniPlace place = {.host = (char *)json_string_value(json_object_get(remembered, "host")),
                      .port = (char *)json_string_value(json_object_get(remembered, "port")),
                      .dbname = (char *)json_string_value(json_object_get(remembered, "dbname"))};
    char *text = NULL, *edited = NULL;
    if (with_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_restore(text, proxy->entry, &place, &edited, error);
    if (status == 0) {
        status = file_replace(proxy->config, edited, error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "RELOAD", NULL, error);
    }
    if (status == 0) {
        status = verify_line(proxy, edited, error);
    }
    free(edited);
    free(text);
    return status;
}

/* --- holding --- */

static int read_paused(Proxy *proxy, bool *paused, Error *error)
{
    PGresult *databases;
    int row;
    if (show_entry(proxy, &databases, &row, error) != 0) {
        return -1;
    }
    *paused = atoi(console_field(databases, row, "paused")) != 0;
    PQclear(databases);
    return 0;
}

static int pgbouncer_hold(Proxy *proxy, const ProxyContext *context, Error *error)
{
    bool paused;
    if (read_paused(proxy, &paused, error) != 0) {
        return -1;
    }
    if (paused && run_on_entry(proxy, "RESUME", error) != 0) {
        return -1; /* left by a run that was killed: only a PAUSE of our own tells when it is drained */
    }
    char *quoted = database_quote(proxy->entry);
    char command[256];
    snprintf(command, sizeof command, "PAUSE %s", quoted);
    free(quoted);
    return console_run_within(proxy->uri, command, context->drain_limit_ms, context->stop, error);
}

static int pgbouncer_release(Proxy *proxy, Error *error)
{
    bool paused;
    if (read_paused(proxy, &paused, error) != 0) {
        return -1;
    }
    return paused ? run_on_entry(proxy, "RESUME", error) : 0;
}

const ProxyOperations proxy_pgbouncer = {
    .name = "pgbouncer",
    .summary = "PgBouncer in transaction pooling: PAUSE, edit, RELOAD, RESUME",
    .holds = true,
    .open = pgbouncer_open,
    .close = pgbouncer_close,
    .inspect = pgbouncer_inspect,
    .remember = pgbouncer_remember,
    .hold = pgbouncer_hold,
    .point_at = pgbouncer_point_at,
    .restore = pgbouncer_restore,
    .release = pgbouncer_release,
    .let_go = pgbouncer_release,
};
