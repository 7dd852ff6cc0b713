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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgbouncer/pgbouncer.h"

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

static int read_paused(Proxy *proxy, bool *paused, Error *error)
{
    PGresult *databases;
    int row;
    if (pgbouncer_show_entry(proxy, &databases, &row, error) != 0) {
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
    .find_probe = pgbouncer_find_probe,
    .remember = pgbouncer_remember,
    .hold = pgbouncer_hold,
    .point_at = pgbouncer_point_at,
    .restore = pgbouncer_restore,
    .release = pgbouncer_release,
    .let_go = pgbouncer_release,
    .show = pgbouncer_show,
    .set = pgbouncer_set,
    .set_back = pgbouncer_set_back,
};
