/*
 * PgBouncer holds by itself: PAUSE waits until no transaction is open and keeps the clients, a RELOAD in
 * between is safe (the paused flag survives it), RESUME lets them go on.
 *
 *     hold: PAUSE     point_at: edit host and port, RELOAD, see it in SHOW DATABASES     release: RESUME
 *
 * PAUSE gets a connection of its own, because closing it is the only way to stop waiting; the database stays
 * paused then, and let_go resumes it. Both connections are made before the hold: a PgBouncer that is full takes no new ones.
 * What RELOAD replies is not believed: SHOW DATABASES is. While clients are held, query_wait_timeout and client_login_timeout
 * run on: both must be longer than the hold may take.
 */
#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "pgbouncer/pgbouncer.h"
#include "place.h"

#define END_LOOK_MS 2000

static void pgbouncer_close(Proxy *proxy)
{
    if (proxy != NULL) {
        console_close(&proxy->console);
        console_close(&proxy->pauser);
        store_close(proxy->store);
        free(proxy->uri);
        free(proxy->entry);
        free(proxy);
    }
}

static int pgbouncer_open(const ProxySpec *spec, const char *migration, const char *database, Proxy **out,
                          Error *error)
{
    *out = NULL;
    if (spec->admin_uri == NULL) {
        error_set(error, ERROR_USAGE, "--proxy pgbouncer needs the connection string of its admin console");
        return error_hint(error,
                          "Write --proxy 'pgbouncer:postgresql://ADMIN@HOST:PORT/pgbouncer,config=/path/"
                          "pgbouncer.ini'.");
    }
    Proxy *proxy = calloc(1, sizeof *proxy);
    if (spec->config != NULL && store_open(spec->config, &proxy->store, error) != 0) {
        free(proxy);
        return -1;
    }
    proxy->uri = strdup(spec->admin_uri);
    proxy->console.uri = proxy->pauser.uri = proxy->uri;
    proxy->entry = strdup(spec->database != NULL ? spec->database : database);
    proxy->named = spec->database != NULL;
    proxy->rehearsal = block_key('r', migration, proxy->entry);
    proxy->lookout = block_key('l', migration, proxy->entry);
    proxy->accepts_untried = spec->accepts_untried;
    proxy->ends_sessions = spec->ends_sessions;
    *out = proxy;
    return 0;
}

static void command_on(const char *verb, const char *entry, char out[256])
{
    char *quoted = database_quote(entry);
    snprintf(out, 256, "%s %s", verb, quoted);
    free(quoted);
}

static int resume(Proxy *proxy, const char *entry, Error *error)
{
    char command[256];
    command_on("RESUME", entry, command);
    return console_run(&proxy->console, command, NULL, error);
}

static int is_paused(Proxy *proxy, const char *entry, bool *paused, Error *error)
{
    PGresult *databases;
    if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    int row = console_row(databases, "name", entry);
    *paused = number_int(console_field(databases, row, "paused")) != 0;
    PQclear(databases);
    return 0;
}

/* KILL ends the sessions and keeps who comes after from getting a server until RESUME (admin.c, admin_cmd_kill). */
static int hold_entry(Proxy *proxy, const char *entry, const ProxyContext *context, int64_t deadline,
                      Error *error)
{
    char command[256];
    bool paused;
    if (is_paused(proxy, entry, &paused, error) != 0) {
        return -1;
    }
    if (paused && resume(proxy, entry, error) != 0) {
        return -1; /* left by a run that was killed: only a PAUSE of our own tells when it is drained */
    }
    command_on(proxy->ends_sessions ? "KILL" : "PAUSE", entry, command);
    int64_t left = deadline - clock_ms();
    return console_run_within(&proxy->pauser, command, left > 1 ? (int)left : 1, context->stop, error);
}

static int pgbouncer_hold(Proxy *proxy, const ProxyContext *context, Error *error)
{
    char **entries;
    int64_t deadline = clock_ms() + context->drain_limit_ms;
    if (pgbouncer_entries(proxy, &entries, error) != 0) {
        return -1;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && entries[i] != NULL; i++) {
        status = hold_entry(proxy, entries[i], context, deadline, error);
    }
    ini_names_free(entries);
    return status;
}

/*
 * One that cannot be resumed does not keep the others. Files are left alone: who lets go may be a process that watches over another
 * one, and whoever carries on from there still looks through what stands in them.
 */
static int resume_all(Proxy *proxy, Error *error)
{
    char **entries;
    Error failure;
    int status = 0;
    if (pgbouncer_entries(proxy, &entries, error) != 0) {
        return -1;
    }
    for (size_t i = 0; entries[i] != NULL; i++) {
        bool paused;
        if (is_paused(proxy, entries[i], &paused, &failure) != 0 ||
            (paused && resume(proxy, entries[i], &failure) != 0)) {
            *error = failure;
            status = -1;
        }
    }
    ini_names_free(entries);
    return status;
}

static void pgbouncer_limit(Proxy *proxy, AnswerLimit limit)
{
    proxy->console.limit = limit;
    if (proxy->store != NULL) {
        store_limit(proxy->store, limit);
    }
}

/*
 * What is left of the look goes first: a RELOAD at the moment when all who were held get their servers would cost some of them an
 * error (reload.c). What cannot be taken away now, within a moment, is said by end_look later: clients wait.
 */
static int pgbouncer_release(Proxy *proxy, const ProxyContext *context, Error *error)
{
    Error ignored;
    AnswerLimit limit = proxy->console.limit;
    pgbouncer_limit(proxy, (AnswerLimit){.answer_ms = END_LOOK_MS});
    (void)context;
    (void)!pgbouncer_end_look(proxy, &ignored);
    pgbouncer_limit(proxy, limit);
    return resume_all(proxy, error);
}

static bool pgbouncer_has_ended(const Proxy *proxy)
{
    return place_is_deserted(proxy->uri);
}

const ProxyOperations proxy_pgbouncer = {
    .name = "pgbouncer",
    .summary = "PgBouncer in transaction pooling: PAUSE, edit, RELOAD, RESUME",
    .holds = true,
    .holds_again = true,
    .open = pgbouncer_open,
    .close = pgbouncer_close,
    .inspect = pgbouncer_inspect,
    .find_probe = pgbouncer_find_probe,
    .remember = pgbouncer_remember,
    .hold = pgbouncer_hold,
    .point_at = pgbouncer_point_at,
    .prepare_look = pgbouncer_prepare_look,
    .look = pgbouncer_look,
    .end_look = pgbouncer_end_look,
    .restore = pgbouncer_restore,
    .release = pgbouncer_release,
    .let_go = resume_all,
    .limit = pgbouncer_limit,
    .has_ended = pgbouncer_has_ended,
    .show = pgbouncer_show,
    .set = pgbouncer_set,
    .set_back = pgbouncer_set_back,
};
