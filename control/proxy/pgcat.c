/*
 * pgcat cannot hold its clients across a change of servers: after its own PAUSE, RELOAD, RESUME they wait for
 * ever. So it is led into a gate that accepts connections and keeps them waiting:
 *
 *     hold: gate up, file → gate, RELOAD, drain      release: gate → target, file → target, RELOAD, gate ends
 *                                                     let_go: the same with the source
 *
 * What a later process needs stands in FILE.penstock-gate, durable before the file is touched: the gate's
 * port, the plan of pgcat_file.h, and, from point_at on, where release leads. As long as that file is there,
 * clients may be in the gate; it is taken away last. Each operation begins with a gate that answers on that
 * port, made anew if need be, and may be repeated.
 *
 * Nothing that RELOAD replies is believed, only host and port in SHOW DATABASES.
 */
#include "proxy.h"

#include <errno.h>
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
#include "gate.h"
#include "pgcat_file.h"
#include "probe.h"
#include "text.h"

#define GATE_HOST "127.0.0.1"
#define PROBE_LIMIT_MS 5000
#define RELOAD_LIMIT_MS 5000
#define VERIFY_LIMIT_MS 5000
#define DRAIN_STEP_MS 20
#define MIN_TIMEOUT_MS 60000

struct Proxy {
    Console console;
    char *uri;
    char *config;
    char *database; /* of the source */
    char *pool;     /* only this one; NULL: every one that serves the database */
    char *state;    /* FILE.penstock-gate */
    char *gate_log; /* FILE.penstock-gate.log */
};

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

static int pgcat_open(const ProxySpec *spec, const char *database, Proxy **out, Error *error)
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
        return error_set(error, ERROR_SYSTEM, "cannot find \"%s\": %s", spec->config, strerror(errno));
    }
    Proxy *proxy = calloc(1, sizeof *proxy);
    proxy->uri = strdup(spec->admin_uri);
    proxy->console.uri = proxy->uri;
    proxy->config = strdup(real);
    proxy->database = strdup(database);
    proxy->pool = spec->database != NULL ? strdup(spec->database) : NULL;
    proxy->state = with_suffix(real, ".penstock-gate");
    proxy->gate_log = with_suffix(real, ".penstock-gate.log");
    *out = proxy;
    return 0;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* --- what is kept beside the file --- */

/* *state is NULL when nothing is held. */
static int load_state(Proxy *proxy, json_t **state, Error *error)
{
    *state = NULL;
    if (access(proxy->state, F_OK) != 0) {
        return errno == ENOENT ? 0
                               : error_set(error, ERROR_SYSTEM, "\"%s\": %s", proxy->state, strerror(errno));
    }
    json_error_t where;
    *state = json_load_file(proxy->state, 0, &where);
    if (*state != NULL) {
        return 0;
    }
    error_set(error, ERROR_SYSTEM, "\"%s\" cannot be read: %s", proxy->state, where.text);
    return error_hint(
        error, "It says where the held clients are. The old configuration is in \"%.200s.penstock-before\".",
        proxy->config);
}

static int save_state(Proxy *proxy, const json_t *state, Error *error)
{
    char *text = json_dumps(state, JSON_INDENT(2));
    int status = file_write(proxy->state, text, error);
    free(text);
    return status;
}

static int read_plan(Proxy *proxy, char **text, json_t **plan, Error *error)
{
    if (file_read(proxy->config, text, error) != 0) {
        return -1;
    }
    if (pgcat_plan(*text, proxy->database, proxy->pool, plan, error) == 0) {
        return 0;
    }
    free(*text);
    return error_context(error, "%s", proxy->config);
}

/* --- what pgcat shows --- */

static bool is_place(const json_t *plan, const char *name)
{
    size_t i;
    json_t *place;
    json_array_foreach(json_object_get(plan, "places"), i, place)
    {
        char expected[256];
        snprintf(expected, sizeof expected, "%s_shard_%s_primary", text_of(place, "pool"),
                 text_of(place, "shard"));
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
        if (strcmp(text_of(pool, "pool"), name) == 0) {
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
        nanosleep(&(struct timespec){.tv_nsec = 20 * 1000000}, NULL);
    }
    error_set(error, ERROR_PROXY, "pgcat leads %d of %d pools to %s:%s after RELOAD", there, rows, host,
              port);
    return error_hint(error, "Its log says what it did not like in \"%.200s\"; is it the file that it reads?",
                      proxy->config);
}

/* Makes pgcat use the text. first: what stands in the file now is to be kept. */
static int apply(Proxy *proxy, const json_t *plan, const char *text, const Endpoint *where, bool first,
                 Error *error)
{
    Error reply = {0};
    int status =
        first ? file_replace(proxy->config, text, error) : file_replace_again(proxy->config, text, error);
    if (status == 0 && console_run_within(proxy->uri, "RELOAD", RELOAD_LIMIT_MS, NULL, &reply) != 0) {
        console_close(&proxy->console);
    }
    if (status == 0) {
        status = verify_shown(proxy, plan, where->host, where->port, error);
    }
    return status != 0 && reply.message[0] != '\0' ? error_context(error, "%.300s", reply.message) : status;
}

/* --- inspect --- */

static int check_shown(Proxy *proxy, const json_t *plan, Error *error)
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
        if (ours && atoi(console_field(databases, row, "paused")) != 0) {
            error_set(error, ERROR_STATE, "\"%s\" is paused in pgcat", name);
            status = error_hint(
                error, "Find out by whom, then RESUME it: clients that are paused over a RELOAD never "
                       "go on.");
        } else if (ours && (strcmp(console_field(databases, row, "host"), text_of(plan, "host")) != 0 ||
                            strcmp(console_field(databases, row, "port"), text_of(plan, "port")) != 0)) {
            error_set(error, ERROR_STATE, "\"%s\" leads to %s:%s in pgcat, and to %s:%s in its file", name,
                      console_field(databases, row, "host"), console_field(databases, row, "port"),
                      text_of(plan, "host"), text_of(plan, "port"));
            status =
                error_hint(error, "RELOAD it first; is \"%.200s\" the file that it reads?", proxy->config);
        } else if (!ours && proxy->pool == NULL &&
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

/* When uri leads somewhere, it must be the source; then it is good for a probe after the switch. */
static int inspect_route(const ProxyContext *context, const char *pool, const char *uri, ProxyReport *report,
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
        return error_set(error, ERROR_STATE, "pool \"%s\" of pgcat does not lead to the source", pool);
    }
    snprintf(report->probe, sizeof report->probe, "%s", uri);
    return 0;
}

static int inspect_user(Proxy *proxy, const ProxyContext *context, const char *pool, const PgcatUser *user,
                        ProxyReport *report, Error *error)
{
    if (credentials_check(context->source, context->target, &context->to, user->server_name,
                          user->server_password, error) != 0) {
        return -1;
    }
    if (report->probe[0] != '\0') {
        return 0;
    }
    PGconn *console = database_connection(proxy->console.database);
    Text uri = {0};
    text_conninfo_add(&uri, "host", PQhost(console));
    text_conninfo_add(&uri, "port", PQport(console));
    text_conninfo_add(&uri, "dbname", pool);
    text_conninfo_add(&uri, "user", user->name);
    text_conninfo_add(&uri, "password", user->password != NULL ? user->password : "");
    int status = inspect_route(context, pool, uri.data, report, error);
    text_free(&uri);
    return status;
}

static int inspect_users(Proxy *proxy, const ProxyContext *context, const char *text, const json_t *plan,
                         ProxyReport *report, Error *error)
{
    size_t i;
    json_t *one;
    int status = 0;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        PgcatUser user;
        const char *pool = text_of(one, "pool");
        for (size_t number = 0; status == 0 && pgcat_user(text, pool, number, &user); number++) {
            status = inspect_user(proxy, context, pool, &user, report, error);
            pgcat_user_free(&user);
        }
    }
    return status;
}

static int check_files(Proxy *proxy, Error *error)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof copy, "%s", proxy->config);
    if (access(dirname(copy), W_OK) != 0) {
        return error_set(error, ERROR_SYSTEM, "cannot replace \"%s\": its folder is not writable",
                         proxy->config);
    }
    if (access(proxy->state, F_OK) == 0) {
        error_set(error, ERROR_STATE, "\"%s\" is there: clients are held already", proxy->state);
        return error_hint(error, "End that cutover with --resume or --undo.");
    }
    return 0;
}

static int timeout_of(const ProxyContext *context)
{
    return context->hold_limit_ms * 2 > MIN_TIMEOUT_MS ? context->hold_limit_ms * 2 : MIN_TIMEOUT_MS;
}

static int pgcat_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    char *text, *edited = NULL;
    json_t *plan;
    *report = (ProxyReport){0};
    if (check_files(proxy, error) != 0 || read_plan(proxy, &text, &plan, error) != 0) {
        return -1;
    }
    int status = pgcat_check_settings(text, plan, context->hold_limit_ms, error);
    /* The edit of the switch, made for nothing: what cannot be edited must show now. */
    if (status == 0) {
        status = pgcat_point(text, plan, &context->to, timeout_of(context), &edited, error);
    }
    if (status == 0) {
        status = check_shown(proxy, plan, error);
    }
    if (status == 0) {
        status = inspect_users(proxy, context, text, plan, report, error);
    }
    if (status == 0) {
        snprintf(report->summary, sizeof report->summary,
                 "pgcat: %zu pools of \"%s\" at %s:%s, by transaction",
                 json_array_size(json_object_get(plan, "pools")), proxy->database, text_of(plan, "host"),
                 text_of(plan, "port"));
    }
    free(edited);
    free(text);
    json_decref(plan);
    return status;
}

static int pgcat_remember(Proxy *proxy, json_t **out, Error *error)
{
    char *text;
    if (load_state(proxy, out, error) != 0 || *out != NULL) {
        return *out != NULL ? 0 : -1;
    }
    if (read_plan(proxy, &text, out, error) != 0) {
        return -1;
    }
    json_object_set_new(*out, "config", json_string(proxy->config));
    free(text);
    return 0;
}

/* --- the gate --- */

static int port_of(const json_t *state)
{
    return (int)json_integer_value(json_object_get(state, "gate"));
}

/* Takes a port, keeps it in the state, and starts the gate there: in this order, so that no gate is lost. */
static int start_gate(Proxy *proxy, json_t *state, Error *error)
{
    int port = port_of(state), fd;
    if (gate_take_port(&port, &fd, error) != 0) {
        return -1;
    }
    json_object_set_new(state, "gate", json_integer(port));
    if (save_state(proxy, state, error) != 0) {
        close(fd);
        return -1;
    }
    return gate_start(port, fd, proxy->gate_log, error);
}

/* A gate that answers on the port of the state. */
static int need_gate(Proxy *proxy, json_t *state, Error *error)
{
    return gate_answers(port_of(state), &(GateAnswer){0}) ? 0 : start_gate(proxy, state, error);
}

/* A gate that holds: one that an undo has opened already is left to end, and another takes its place. */
static int need_holding_gate(Proxy *proxy, json_t *state, Error *error)
{
    GateAnswer answer;
    if (port_of(state) > 0 && gate_answers(port_of(state), &answer)) {
        if (strcmp(answer.mode, "hold") == 0) {
            return 0;
        }
        if (gate_end(port_of(state), error) != 0) {
            return -1;
        }
        json_object_del(state, "gate");
    }
    return start_gate(proxy, state, error);
}

/* --- hold --- */

static int count_active(Proxy *proxy, const json_t *plan, int *active, Error *error)
{
    PGresult *pools;
    *active = 0;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, error) != 0) {
        return -1;
    }
    for (int row = 0; row < PQntuples(pools); row++) {
        if (is_pool(plan, console_field(pools, row, "database"))) {
            *active += atoi(console_field(pools, row, "sv_active"));
        }
    }
    PQclear(pools);
    return 0;
}

/* Waits until none of pgcat's servers is at work, twice in a row. */
static int drain(Proxy *proxy, const json_t *plan, const ProxyContext *context, Error *error)
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
        nanosleep(&(struct timespec){.tv_nsec = DRAIN_STEP_MS * 1000000}, NULL);
    }
    return 0;
}

static int lead_into_gate(Proxy *proxy, const json_t *state, const ProxyContext *context, bool first,
                          Error *error)
{
    char *text, *edited;
    Endpoint gate = {.host = GATE_HOST};
    snprintf(gate.port, sizeof gate.port, "%d", port_of(state));
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = pgcat_point(text, state, &gate, timeout_of(context), &edited, error);
    if (status == 0) {
        status = apply(proxy, state, edited, &gate, first, error);
    }
    free(edited);
    free(text);
    return status;
}

static int pgcat_hold(Proxy *proxy, const ProxyContext *context, Error *error)
{
    json_t *state;
    if (load_state(proxy, &state, error) != 0) {
        return -1;
    }
    bool first = state == NULL;
    if (first && pgcat_remember(proxy, &state, error) != 0) {
        return -1;
    }
    int status = need_holding_gate(proxy, state, error);
    if (status == 0) {
        status = lead_into_gate(proxy, state, context, first, error);
    }
    if (status == 0) {
        status = drain(proxy, state, context, error);
    }
    json_decref(state);
    return status;
}

/* --- going on --- */

static int pgcat_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    json_t *state;
    if (load_state(proxy, &state, error) != 0) {
        return -1;
    }
    if (state == NULL) {
        return error_set(error, ERROR_STATE, "\"%s\" is gone: nobody is held in the gate", proxy->state);
    }
    json_object_set_new(state, "to",
                        json_pack("{s:s, s:s, s:s}", "host", context->to.host, "port", context->to.port,
                                  "database", context->to.database));
    int status = save_state(proxy, state, error);
    if (status == 0) {
        status = need_gate(proxy, state, error);
    }
    GateAnswer answer;
    if (status == 0 && gate_answers(port_of(state), &answer) && strcmp(answer.mode, "hold") != 0) {
        status = error_set(error, ERROR_STATE, "the gate is open already: an undo had begun");
    }
    json_decref(state);
    return status;
}

static int pgcat_restore(Proxy *proxy, const json_t *remembered, Error *error)
{
    json_t *state;
    (void)remembered;
    if (load_state(proxy, &state, error) != 0) {
        return -1;
    }
    int status = state != NULL && json_object_del(state, "to") == 0 ? save_state(proxy, state, error) : 0;
    json_decref(state);
    return status;
}

/* Opens the gate, makes pgcat go there by itself, and lets the gate end. to NULL: back to where it led. */
static int go_on(Proxy *proxy, json_t *state, const Endpoint *to, Error *error)
{
    Endpoint where = {0};
    char *text, *edited = NULL;
    snprintf(where.host, sizeof where.host, "%s", text_of(state, "host"));
    snprintf(where.port, sizeof where.port, "%s", text_of(state, "port"));
    where = to != NULL ? *to : where;
    if (file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = to != NULL ? pgcat_point(text, state, to, 0, &edited, error)
                            : pgcat_point_back(text, state, &edited, error);
    if (status == 0) {
        status = need_gate(proxy, state, error);
    }
    if (status == 0) {
        status = gate_open(port_of(state), where.host, where.port, error);
    }
    if (status == 0) {
        status = apply(proxy, state, edited, &where, false, error);
    }
    if (status == 0) {
        status = gate_end(port_of(state), error);
    }
    if (status == 0 && unlink(proxy->state) != 0) {
        status = error_set(error, ERROR_SYSTEM, "cannot take away \"%s\": %s", proxy->state, strerror(errno));
    }
    free(edited);
    free(text);
    return status;
}

static int pgcat_release(Proxy *proxy, Error *error)
{
    json_t *state;
    if (load_state(proxy, &state, error) != 0 || state == NULL) {
        return state == NULL && access(proxy->state, F_OK) != 0 ? 0 : -1;
    }
    const json_t *to = json_object_get(state, "to");
    Endpoint where = {0};
    snprintf(where.host, sizeof where.host, "%s", text_of(to, "host"));
    snprintf(where.port, sizeof where.port, "%s", text_of(to, "port"));
    snprintf(where.database, sizeof where.database, "%s", text_of(to, "database"));
    int status = to != NULL
                     ? go_on(proxy, state, &where, error)
                     : error_set(error, ERROR_STATE, "\"%s\" does not say where to go on", proxy->state);
    json_decref(state);
    return status;
}

static int pgcat_let_go(Proxy *proxy, Error *error)
{
    json_t *state;
    if (load_state(proxy, &state, error) != 0) {
        return -1;
    }
    int status = state != NULL ? go_on(proxy, state, NULL, error) : 0;
    json_decref(state);
    return status;
}

const ProxyOperations proxy_pgcat = {
    .name = "pgcat",
    .summary = "pgcat in transaction pooling: a gate that holds, edit, RELOAD",
    .holds = true,
    .open = pgcat_open,
    .close = pgcat_close,
    .inspect = pgcat_inspect,
    .remember = pgcat_remember,
    .hold = pgcat_hold,
    .point_at = pgcat_point_at,
    .restore = pgcat_restore,
    .release = pgcat_release,
    .let_go = pgcat_let_go,
};
