/*
 * pgcat cannot hold its clients across a change of servers: after its own PAUSE, RELOAD, RESUME they wait for
 * ever. So it is led into a gate that accepts connections and keeps them waiting:
 *
 *     hold: gate up, file → gate, RELOAD, drain      release: gate → target, file → target, RELOAD, gate ends
 *                                                     let_go: the same with the source
 *
 * What a later process needs stands in FILE.penstock-gate, durable before the file is touched: the gate's
 * port, the plan of plan.h, and, from point_at on, where release leads. As long as that file is there,
 * clients may be in the gate; it is taken away last. Each operation begins with a gate that answers on that
 * port, made anew if need be, and may be repeated.
 *
 * Nothing that RELOAD replies is believed, only host and port in SHOW DATABASES.
 */
#include "proxy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "gate.h"
#include "pgcat/held.h"
#include "pgcat/inspect.h"
#include "pgcat/plan.h"
#include "pgcat/rehearse.h"
#include "pgcat/set.h"
#include "pgcat/shown.h"

#define GATE_HOST "127.0.0.1"
#define UNDO_MS 5000

static void pgcat_close(Proxy *proxy)
{
    if (proxy != NULL) {
        console_close(&proxy->console);
        free(proxy->uri);
        free(proxy->config);
        free(proxy->database);
        free(proxy->pool);
        free(proxy->state);
        free(proxy->gate_log);
        free(proxy->whose);
        free(proxy);
    }
}

static char *with_suffix(const char *path, const char *suffix)
{
    size_t size = strlen(path) + strlen(suffix) + 1;
    char *out = malloc(size);
    snprintf(out, size, "%s%s", path, suffix);
    return out;
}

static int pgcat_open(const ProxySpec *spec, const char *migration, const char *database, Proxy **out,
                      Error *error)
{
    *out = NULL;
    if (spec->admin_uri == NULL || spec->config == NULL) {
        error_set(
            error, ERROR_USAGE,
            "--proxy pgcat needs the connection string of its admin console and its configuration file");
        return error_hint(
            error, "Write --proxy 'pgcat:postgresql://ADMIN@HOST:PORT/pgcat,config=/path/pgcat.toml'.");
    }
    char real[PATH_MAX];
    if (realpath(spec->config, real) == NULL) {
        error_set(error, ERROR_SYSTEM, "cannot find pgcat's configuration file \"%s\": %s", spec->config,
                  strerror(errno));
        return error_hint(error, "Run this where pgcat runs, with config= the file that it reads.");
    }
    Proxy *proxy = calloc(1, sizeof *proxy);
    proxy->uri = strdup(spec->admin_uri);
    proxy->console.uri = proxy->uri;
    proxy->config = strdup(real);
    proxy->database = strdup(database);
    proxy->pool = spec->database != NULL ? strdup(spec->database) : NULL;
    proxy->state = with_suffix(real, ".penstock-gate");
    proxy->gate_log = with_suffix(real, ".penstock-gate.log");
    if (asprintf(&proxy->whose, "%s of %s", migration, database) < 0) {
        abort();
    }
    proxy->rehearsal = block_key('r', migration, proxy->pool != NULL ? proxy->pool : database);
    proxy->lookout = block_key('l', migration, proxy->pool != NULL ? proxy->pool : database);
    *out = proxy;
    return 0;
}

static int pgcat_remember(Proxy *proxy, json_t **out, Error *error)
{
    char *text;
    if (pgcat_load_state(proxy, out, error) != 0 || *out != NULL) {
        return *out != NULL ? 0 : -1;
    }
    if (pgcat_read_plan(proxy, &text, out, error) != 0) {
        return -1;
    }
    json_object_set_new(*out, "config", json_string(proxy->config));
    if (proxy->pool != NULL) {
        json_object_set_new(*out, "only", json_string(proxy->pool));
    }
    free(text);
    return 0;
}

static int lead_into_gate(Proxy *proxy, const json_t *state, const ProxyContext *context, bool first,
                          Error *error)
{
    char *text, *edited;
    Endpoint gate = {.host = GATE_HOST};
    snprintf(gate.port, sizeof gate.port, "%d", pgcat_gate_port(state));
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = pgcat_point(text, state, &gate, pgcat_timeout_ms(context), &edited, error);
    if (status == 0) {
        status = pgcat_apply(proxy, state, edited, &gate, first, error);
    }
    free(edited);
    free(text);
    return status;
}

/* That the state is of this pool, and not of another --proxy with the same file. */
static bool is_own(const Proxy *proxy, const json_t *state)
{
    const char *only = json_string_value(json_object_get(state, "only"));
    return proxy->pool == NULL ? only == NULL : only != NULL && strcmp(only, proxy->pool) == 0;
}

/* Should this process be killed, the gate ends the hold by itself: a while after the hold limit, when whoever undoes it has
 * had the time to. */
static int answer_for_hold(const json_t *state, const ProxyContext *context, Error *error)
{
    return gate_guard(pgcat_gate_port(state), context->hold_limit_ms + UNDO_MS, pgcat_text(state, "host"),
                      pgcat_text(state, "port"), error);
}

/* With the file to itself. */
static int lead_away(Proxy *proxy, const ProxyContext *context, json_t **state, Error *error)
{
    if (pgcat_load_state(proxy, state, error) != 0) {
        return -1;
    }
    bool first = *state == NULL;
    if (!first && !is_own(proxy, *state)) {
        error_set(error, ERROR_STATE, "\"%s\" holds other pools of the same file", proxy->state);
        return error_hint(error, "One --proxy for each file: leave database= out when several pools move.");
    }
    if (first && pgcat_remember(proxy, state, error) != 0) {
        return -1;
    }
    int status = pgcat_need_holding_gate(proxy, *state, error);
    if (status == 0) {
        status = answer_for_hold(*state, context, error);
    }
    return status == 0 ? lead_into_gate(proxy, *state, context, first, error) : status;
}

static int pgcat_hold(Proxy *proxy, const ProxyContext *context, Error *error)
{
    json_t *state = NULL;
    if (pgcat_take_idle(proxy, context->drain_limit_ms, context->stop, error) != 0) {
        return -1;
    }
    int status = lead_away(proxy, context, &state, error);
    pgcat_give_file(proxy);
    if (status == 0) {
        status = pgcat_drain(proxy, state, context, error);
    }
    json_decref(state);
    return status;
}

/* --- going on --- */

static int pgcat_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    json_t *state;
    if (pgcat_load_state(proxy, &state, error) != 0) {
        return -1;
    }
    if (state == NULL) {
        return error_set(error, ERROR_STATE, "\"%s\" is gone: nobody is held in the gate", proxy->state);
    }
    json_object_set_new(state, "to",
                        json_pack("{s:s, s:s, s:s}", "host", context->to.host, "port", context->to.port,
                                  "database", context->to.database));
    int status = pgcat_save_state(proxy, state, error);
    if (status == 0) {
        status = pgcat_need_gate(proxy, state, error);
    }
    GateAnswer answer;
    if (status == 0 && gate_answers(pgcat_gate_port(state), &answer) && strcmp(answer.mode, "hold") != 0) {
        error_set(error, ERROR_STATE, "the gate is open already");
        status = error_hint(error, "An undo had begun, or the hold limit passed while no command ran.");
    }
    if (status == 0) {
        status = answer_for_hold(state, context, error);
    }
    json_decref(state);
    return status;
}

/*
 * Where letting go leads is the plan's affair. That of a hold that was made again behind the release is of a file that led where
 * clients had gone to: what was remembered before the switch takes its place, for the gate that ends by itself, too.
 */
static int pgcat_restore(Proxy *proxy, const ProxyContext *context, const json_t *remembered, Error *error)
{
    (void)context;
    static const char *const keys[] = {"pools", "places", "host", "port"};
    json_t *state;
    if (pgcat_load_state(proxy, &state, error) != 0) {
        return -1;
    }
    if (state == NULL) {
        return 0;
    }
    json_object_del(state, "to");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *was = json_object_get(remembered, keys[i]);
        if (was != NULL) {
            json_object_set(state, keys[i], was);
        }
    }
    int status = pgcat_save_state(proxy, state, error);
    json_decref(state);
    return status;
}

/* Opens the gate, makes pgcat go there by itself, and lets the gate end. to NULL: back to where it led. */
static int lead_on(Proxy *proxy, json_t *state, const Endpoint *to, Error *error)
{
    Endpoint where = {0};
    char *text, *edited = NULL;
    snprintf(where.host, sizeof where.host, "%s", pgcat_text(state, "host"));
    snprintf(where.port, sizeof where.port, "%s", pgcat_text(state, "port"));
    where = to != NULL ? *to : where;
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = to != NULL ? pgcat_point(text, state, to, 0, &edited, error)
                            : pgcat_point_back(text, state, &edited, error);
    if (status == 0) {
        status = pgcat_need_gate(proxy, state, error);
    }
    if (status == 0) {
        status = gate_open(pgcat_gate_port(state), where.host, where.port, error);
    }
    if (status == 0) {
        status = pgcat_apply(proxy, state, edited, &where, false, error);
    }
    if (status == 0) {
        status = gate_end(pgcat_gate_port(state), error);
    }
    if (status == 0 && unlink(proxy->state) != 0) {
        status = error_set(error, ERROR_SYSTEM, "cannot take away \"%s\": %s", proxy->state, strerror(errno));
    }
    free(edited);
    free(text);
    return status;
}

/* Clients wait: one who has the file and stands still does not keep us. */
static int go_on(Proxy *proxy, json_t *state, const Endpoint *to, Error *error)
{
    Error ignored;
    (void)!pgcat_take_file(proxy, NULL, &ignored);
    int status = lead_on(proxy, state, to, error);
    pgcat_give_file(proxy);
    return status;
}

static int pgcat_release(Proxy *proxy, const ProxyContext *context, Error *error)
{
    (void)context;
    json_t *state;
    if (pgcat_load_state(proxy, &state, error) != 0) {
        return -1;
    }
    if (state == NULL) {
        return 0;
    }
    const json_t *to = json_object_get(state, "to");
    Endpoint where = {0};
    snprintf(where.host, sizeof where.host, "%s", pgcat_text(to, "host"));
    snprintf(where.port, sizeof where.port, "%s", pgcat_text(to, "port"));
    snprintf(where.database, sizeof where.database, "%s", pgcat_text(to, "database"));
    int status = to != NULL
                     ? go_on(proxy, state, &where, error)
                     : error_set(error, ERROR_STATE, "\"%s\" does not say where to go on", proxy->state);
    json_decref(state);
    return status;
}

static int pgcat_let_go(Proxy *proxy, Error *error)
{
    json_t *state;
    if (pgcat_load_state(proxy, &state, error) != 0) {
        return -1;
    }
    int status = state != NULL ? go_on(proxy, state, NULL, error) : 0;
    json_decref(state);
    return status;
}

static void pgcat_limit(Proxy *proxy, AnswerLimit limit)
{
    proxy->console.limit = limit;
}

const ProxyOperations proxy_pgcat = {
    .name = "pgcat",
    .summary = "pgcat in transaction pooling: a gate that holds, edit, RELOAD",
    .holds = true,
    .holds_again = true,
    .open = pgcat_open,
    .close = pgcat_close,
    .inspect = pgcat_inspect,
    .find_probe = pgcat_find_probe,
    .remember = pgcat_remember,
    .hold = pgcat_hold,
    .point_at = pgcat_point_at,
    .prepare_look = pgcat_prepare_look,
    .look = pgcat_look,
    .end_look = pgcat_end_look,
    .restore = pgcat_restore,
    .release = pgcat_release,
    .let_go = pgcat_let_go,
    .limit = pgcat_limit,
    .show = pgcat_show,
    .set = pgcat_set,
    .set_back = pgcat_set_back,
};