/*
 * Nothing that RELOAD replies is believed: a file that pgcat cannot read ends the console's connection, and one that it
 * half takes may even be praised. Host and port in SHOW DATABASES are what counts.
 */
#include "pgcat/shown.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "number.h"
#include "pgcat/plan.h"
#include "pgcat/stage.h"

#define RELOAD_LIMIT_MS 5000
#define VERIFY_LIMIT_MS 5000
#define DRAIN_STEP_MS 20

static bool is_place(const json_t *plan, const char *name)
{
    size_t i;
    json_t *place;
    json_array_foreach(json_object_get(plan, "places"), i, place)
    {
        char expected[256];
        snprintf(expected, sizeof expected, "%s_shard_%s_primary", pgcat_text(place, "pool"),
                 pgcat_text(place, "shard"));
        if (strcmp(expected, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_pool(const json_t *plan, const char *name)
{
    size_t i;
    json_t *pool;
    json_array_foreach(json_object_get(plan, "pools"), i, pool)
    {
        if (strcmp(pgcat_text(pool, "pool"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* How many rows of SHOW DATABASES are of the plan, and how many of those lead to host and port. */
static int count_shown(Proxy *proxy, const json_t *plan, const char *host, const char *port, int *rows,
                       int *there, Error *error)
{
    PGresult *databases;
    *rows = *there = 0;
    if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(databases); row++) {
        if (is_place(plan, console_field(databases, row, "name"))) {
            ++*rows;
            *there += strcmp(console_field(databases, row, "host"), host) == 0 &&
                      strcmp(console_field(databases, row, "port"), port) == 0;
        }
    }
    PQclear(databases);
    return 0;
}

static int verify_shown(Proxy *proxy, const json_t *plan, const char *host, const char *port, Error *error)
{
    int rows = 0, there = 0;
    for (int waited = 0; waited <= VERIFY_LIMIT_MS; waited += 20) {
        if (count_shown(proxy, plan, host, port, &rows, &there, error) != 0) {
            return -1;
        }
        if (rows > 0 && rows == there) {
            return 0;
        }
        clock_pause_ms(20);
    }
    error_set(error, ERROR_PROXY, "pgcat leads %d of %d pools to %s:%s after RELOAD", there, rows, host,
              port);
    return error_hint(error, "Its log says what it did not like in \"%.200s\"; is it the file that it reads?",
                      proxy->config);
}

int pgcat_reload(Proxy *proxy, Error *error)
{
    Console own = {.uri = proxy->uri}; /* a file that pgcat cannot read costs the connection */
    int status = console_run_within(&own, "RELOAD", RELOAD_LIMIT_MS, NULL, error);
    console_close(&own);
    return status;
}

int pgcat_apply(Proxy *proxy, const json_t *plan, const char *text, const Endpoint *where, bool first,
                Error *error)
{
    Error reply = {0};
    int status =
        first ? file_replace(proxy->config, text, error) : file_replace_again(proxy->config, text, error);
    bool refused = status == 0 && pgcat_reload(proxy, &reply) != 0;
    if (status == 0) {
        status = verify_shown(proxy, plan, where->host, where->port, error);
    }
    return status != 0 && refused ? error_context(error, "%.300s", reply.message) : status;
}

int pgcat_check_shown(Proxy *proxy, const json_t *plan, Error *error)
{
    PGresult *databases;
    if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    int status = 0, rows = 0;
    for (int row = 0; status == 0 && row < PQntuples(databases); row++) {
        const char *name = console_field(databases, row, "name");
        bool ours = is_place(plan, name);
        rows += ours;
        if (ours && number_int(console_field(databases, row, "paused")) != 0) {
            error_set(error, ERROR_STATE, "\"%s\" is paused in pgcat", name);
            status = error_hint(
                error, "Find out by whom, then RESUME it: clients that are paused over a RELOAD never "
                       "go on.");
        } else if (ours && (strcmp(console_field(databases, row, "host"), pgcat_text(plan, "host")) != 0 ||
                            strcmp(console_field(databases, row, "port"), pgcat_text(plan, "port")) != 0)) {
            error_set(error, ERROR_STATE, "\"%s\" leads to %s:%s in pgcat, and to %s:%s in its file", name,
                      console_field(databases, row, "host"), console_field(databases, row, "port"),
                      pgcat_text(plan, "host"), pgcat_text(plan, "port"));
            status =
                error_hint(error, "RELOAD it first; is \"%.200s\" the file that it reads?", proxy->config);
        } else if (!ours && proxy->pool == NULL && !pgcat_is_stage(name) &&
                   strcmp(console_field(databases, row, "database"), proxy->database) == 0) {
            error_set(error, ERROR_STATE,
                      "pgcat shows \"%s\" for this database, which the file does not have as "
                      "sections of its own",
                      name);
            status =
                error_hint(error, "Write [pools.NAME], [pools.NAME.shards.N] and their keys as sections.");
        }
    }
    if (status == 0 && rows == 0) {
        status = error_set(error, ERROR_STATE, "pgcat shows no pool of \"%s\"", proxy->config);
    }
    PQclear(databases);
    return status;
}

static int count_active(Proxy *proxy, const json_t *plan, int *active, Error *error)
{
    PGresult *pools;
    *active = 0;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, error) != 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(pools); row++) {
        if (is_pool(plan, console_field(pools, row, "database"))) {
            *active += number_int(console_field(pools, row, "sv_active"));
        }
    }
    PQclear(pools);
    return 0;
}

int pgcat_drain(Proxy *proxy, const json_t *plan, const ProxyContext *context, Error *error)
{
    int waited = 0;
    for (int quiet = 0, active; quiet < 2; waited += DRAIN_STEP_MS) {
        if (count_active(proxy, plan, &active, error) != 0) {
            return -1;
        }
        quiet = active == 0 ? quiet + 1 : 0;
        if (context->stop != NULL && context->stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (quiet == 0 && waited >= context->drain_limit_ms) {
            return error_set(error, ERROR_LIMIT, "%d transactions are still open through pgcat after %.1f s",
                             active, context->drain_limit_ms / 1000.0);
        }
        clock_pause_ms(DRAIN_STEP_MS);
    }
    return 0;
}
