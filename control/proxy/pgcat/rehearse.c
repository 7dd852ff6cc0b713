/*
 * A pool whose section does not change is kept by RELOAD, so clients notice nothing of pools that come and go beside theirs. What
 * RELOAD replies proves nothing: SHOW DATABASES does.
 */
#include "pgcat/rehearse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "identity.h"
#include "pgcat/held.h"
#include "pgcat/plan.h"
#include "pgcat/shown.h"
#include "pgcat/stage.h"
#include "route.h"

#define LOGIN_LIMIT_MS 4000
#define SHOWN_LIMIT_MS 5000

/* Waits until the console shows count pools of ours. */
static int await_pools(Proxy *proxy, const BlockKey *key, size_t count, Error *error)
{
    for (int64_t end = clock_ms() + SHOWN_LIMIT_MS;; clock_pause_ms(20)) {
        PGresult *databases;
        size_t shown = 0;
        if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
            return -1;
        }
        for (size_t i = 0; i < count; i++) {
            char name[64];
            bool found = false;
            pgcat_stage_name(key, i, name);
            size_t size = strlen(name);
            for (int row = 0; !found && row < PQntuples(databases); row++) {
                const char *shard = console_field(databases, row, "name");
                found = strncmp(shard, name, size) == 0 && strncmp(shard + size, "_shard_", 7) == 0;
            }
            shown += found;
        }
        PQclear(databases);
        if (shown == count) {
            return 0;
        }
        if (clock_ms() > end) {
            error_set(error, ERROR_PROXY, "pgcat has not taken what was written to \"%s\", after RELOAD",
                      proxy->config);
            return error_hint(error, "Is it the file that it reads? Its log says more.");
        }
    }
}

static int set_stage(Proxy *proxy, const BlockKey *key, const json_t *plan, const Endpoint *to, Error *error)
{
    char *text = NULL, *staged = NULL;
    Error reply = {0};
    if (pgcat_take_file(proxy, NULL, error) != 0) {
        return -1;
    }
    int status = file_read(proxy->config, &text, error);
    if (status == 0) {
        status = pgcat_stage(text, key, plan, to, &staged, error);
    }
    if (status == 0) {
        status = file_replace_again(proxy->config, staged, error);
    }
    bool refused = status == 0 && pgcat_reload(proxy, &reply) != 0;
    if (status == 0) {
        status = await_pools(proxy, key, json_array_size(json_object_get(plan, "pools")), error);
    }
    pgcat_give_file(proxy);
    free(staged);
    free(text);
    return status != 0 && refused ? error_context(error, "%.300s", reply.message) : status;
}

int pgcat_clean(Proxy *proxy, const BlockKey *key, Error *error)
{
    char *text;
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = 0;
    if (pgcat_is_staged(text, key)) {
        char *struck = pgcat_strike(text, key);
        status = file_replace_again(proxy->config, struck, error);
        free(struck);
        if (status == 0) {
            status = pgcat_reload(proxy, error);
        }
    }
    free(text);
    return status;
}

static int strike(Proxy *proxy, const BlockKey *key, Error *error)
{
    if (pgcat_take_file(proxy, NULL, error) != 0) {
        return -1;
    }
    int status = pgcat_clean(proxy, key, error);
    pgcat_give_file(proxy);
    return status;
}

int pgcat_end_look(Proxy *proxy, Error *error)
{
    return strike(proxy, &proxy->lookout, error);
}

/* --- the rehearsal --- */

static int refused(const ProxyContext *context, const PgcatUser *user, const char *pool, Error *error)
{
    error_context(error, "\"%s\", a user of pool \"%s\", cannot log in at %s:%s as pgcat does it",
                  user->server_name, pool, context->to.host, context->to.port);
    error->code = ERROR_TARGET;
    return error_hint(error,
                      "Its clients would get an error after the switch. See to the role there, its password, "
                      "pg_hba.conf and TLS. --target-address (--source-address on the way back) says how the "
                      "proxy reaches that server.");
}

static int enter(Proxy *proxy, const ProxyContext *context, size_t number, const char *pool,
                 const PgcatUser *user, const char *system, Error *error)
{
    char name[64], found[32] = "";
    pgcat_stage_name(&proxy->rehearsal, number, name);
    RouteUser route = {.database = name, .name = user->name, .password = user->password};
    char *uri = route_uri(&proxy->console, &route);
    int status = identity_ask(uri, LOGIN_LIMIT_MS, found, error);
    free(uri);
    if (status == 0 && strcmp(found, system) != 0) {
        status = error_set(error, ERROR_STATE, "what it reaches there is another server (system %s)", found);
    }
    return status == 0 ? 0 : refused(context, user, pool, error);
}

static int enter_all(Proxy *proxy, const ProxyContext *context, const char *text, const json_t *plan,
                     const char *system, Error *error)
{
    size_t i;
    json_t *one;
    int status = 0;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        PgcatUser user;
        const char *pool = pgcat_text(one, "pool");
        for (size_t number = 0; status == 0 && pgcat_user(text, pool, number, &user); number++) {
            status = context->stop != NULL && context->stop()
                         ? error_set(error, ERROR_INTERRUPTED, "interrupted")
                         : proxy_found(context, enter(proxy, context, i, pool, &user, system, error), error);
            pgcat_user_free(&user);
        }
    }
    return status;
}

int pgcat_rehearse(Proxy *proxy, const ProxyContext *context, const char *text, const json_t *plan,
                   Error *error)
{
    char system[32];
    Error other;
    int status = database_identify(context->target, system, error);
    if (status == 0) {
        status = set_stage(proxy, &proxy->rehearsal, plan, &context->to, error);
    }
    if (status == 0) {
        status = enter_all(proxy, context, text, plan, system, error);
    }
    if (strike(proxy, &proxy->rehearsal, &other) != 0 && status == 0) {
        *error = other;
        status = error_context(error, "taking the rehearsal's pools away");
    }
    return status;
}

/* --- the look --- */

/*
 * A pool that is there before the look would have a connection from then on (pool.rs, validate), and show nothing of now: so they
 * are made when the first way is gone, by a RELOAD in the hold. Here it is only noted as whom: the first user of each pool.
 */
int pgcat_prepare_look(Proxy *proxy, const ProxyContext *context, json_t **ways, Error *error)
{
    char *text;
    json_t *plan, *one;
    size_t i;
    (void)context;
    if (pgcat_read_plan(proxy, &text, &plan, error) != 0) {
        return -1;
    }
    *ways = json_array();
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        char name[64];
        PgcatUser user;
        pgcat_stage_name(&proxy->lookout, i, name);
        if (pgcat_user(text, pgcat_text(one, "pool"), 0, &user)) {
            json_array_append_new(*ways, json_pack("{s:s, s:s, s:s}", "pool", pgcat_text(one, "pool"), "name",
                                                   name, "user", user.name));
            pgcat_user_free(&user);
        }
    }
    free(text);
    json_decref(plan);
    return 0;
}

/* The file's text, in which pools of ours lead to where the release will. */
static int stage_look(Proxy *proxy, char **text, Error *error)
{
    json_t *state;
    if (pgcat_load_state(proxy, &state, error) != 0) {
        return -1;
    }
    const json_t *to = json_object_get(state, "to");
    Endpoint where = {.host = ""};
    snprintf(where.host, sizeof where.host, "%s", pgcat_text(to, "host"));
    snprintf(where.port, sizeof where.port, "%s", pgcat_text(to, "port"));
    snprintf(where.database, sizeof where.database, "%s", pgcat_text(to, "database"));
    int status = to != NULL
                     ? file_read(proxy->config, text, error)
                     : error_set(error, ERROR_STATE, "\"%s\" does not say where to go on", proxy->state);
    if (status == 0 && !pgcat_is_staged(*text, &proxy->lookout)) {
        status = set_stage(proxy, &proxy->lookout, state, &where, error);
        free(*text);
        *text = NULL;
        if (status == 0) {
            status = file_read(proxy->config, text, error);
        }
    }
    json_decref(state);
    return status;
}

int pgcat_look(Proxy *proxy, const json_t *way, int limit_ms, ProbeAnswer *answer, Error *error)
{
    const char *name = pgcat_text(way, "name");
    PgcatUser user;
    char *text = NULL;
    if (console_run(&proxy->console, "SHOW VERSION", NULL, error) != 0 ||
        stage_look(proxy, &text, error) != 0) {
        return -1;
    }
    int status = pgcat_user(text, name, 0, &user)
                     ? 0
                     : error_set(error, ERROR_STATE, "pool \"%s\" is gone from \"%s\"", name, proxy->config);
    free(text);
    if (status != 0) {
        return status;
    }
    RouteUser route = {.database = name, .name = user.name, .password = user.password};
    char *uri = route_uri(&proxy->console, &route);
    status = probe(uri, true, limit_ms, answer, error);
    free(uri);
    pgcat_user_free(&user);
    return status == 0 ? 0
                       : error_context(error, "as \"%s\" of pool \"%s\"", pgcat_text(way, "user"),
                                       pgcat_text(way, "pool"));
}
