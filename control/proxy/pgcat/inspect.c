/*
 * What would make clients see an error, or hold them for ever, must be found while nobody waits.
 */
#include "pgcat/inspect.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "credentials.h"
#include "file.h"
#include "gate.h"
#include "number.h"
#include "pgcat/held.h"
#include "pgcat/plan.h"
#include "pgcat/rehearse.h"
#include "pgcat/settings.h"
#include "pgcat/shown.h"
#include "route.h"
#include "toml.h"

#define MIN_TIMEOUT_MS 60000
#define IDLE_LIMIT_MS 10000 /* for another switch behind the same pgcat to be through */
#define REHEARSAL_LIMIT_MS 60000

static int visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, const char *text,
                       const json_t *plan, ProxyReport *report, Error *error)
{
    size_t i;
    json_t *one;
    int status = 0;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        PgcatUser user;
        const char *pool = pgcat_text(one, "pool");
        for (size_t number = 0; status == 0 && pgcat_user(text, pool, number, &user); number++) {
            RouteUser route = {.database = pool,
                               .name = user.name,
                               .password = user.password,
                               .server_name = user.server_name,
                               .server_password = user.server_password};
            status = proxy_found(context, visit(&proxy->console, context, &route, report, error), error);
            pgcat_user_free(&user);
        }
    }
    return status;
}

/* With the file to itself. */
static int check_files(Proxy *proxy, Error *error)
{
    if (access(proxy->state, F_OK) == 0) {
        error_set(error, ERROR_STATE, "\"%s\" is there: clients are held already", proxy->state);
        return error_hint(error, "End that cutover with --resume or --undo.");
    }
    return file_check(proxy->config, error);
}

/* As many connections as the pools may have come into the gate at once. */
static int check_gate(const char *text, const json_t *plan, Error *error)
{
    size_t i;
    json_t *one;
    long wanted = 0;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        const char *pool = pgcat_text(one, "pool");
        char *user;
        for (size_t number = 0;
             (user = toml_child(text, (const char *const[]){"pools", pool, "users", NULL}, number)) != NULL;
             number++) {
            char *size =
                toml_text(text, (const char *const[]){"pools", pool, "users", user, NULL}, "pool_size");
            wanted += size != NULL ? number_int(size) : 0;
            free(size);
            free(user);
        }
    }
    if (wanted <= gate_most()) {
        return 0;
    }
    error_set(error, ERROR_STATE, "pgcat's pools may have %ld connections, and the gate can take %d", wanted,
              gate_most());
    return error_hint(
        error,
        "Each takes two descriptors: raise the hard limit of open files (ulimit -Hn) of the user "
        "who runs this to %ld.",
        2 * wanted + 100);
}

int pgcat_timeout_ms(const ProxyContext *context)
{
    return context->hold_limit_ms * 2 > MIN_TIMEOUT_MS ? context->hold_limit_ms * 2 : MIN_TIMEOUT_MS;
}

/*
 * pgcat itself logs in there, as each of its users. A fence turns everybody away, and what pgcat says of that has no SQLSTATE:
 * then we log in ourselves.
 */
static int check_logins(Proxy *proxy, const ProxyContext *context, const char *text, const json_t *plan,
                        ProxyReport *report, Error *error)
{
    bool fenced = credentials_fenced(context->target, context->to.database);
    if (visit_users(proxy, fenced ? route_inspect : route_inspect_way, context, text, plan, report, error) !=
        0) {
        return -1;
    }
    return fenced ? 0 : proxy_found(context, pgcat_rehearse(proxy, context, text, plan, error), error);
}

/* A listener that counts what it hands on. */
typedef struct Counting {
    const ProxyContext *outer;
    size_t problems;
} Counting;

static void count(void *context, const Error *problem)
{
    Counting *counting = context;
    counting->problems++;
    counting->outer->problem(counting->outer->problem_context, problem);
}

/* What looks at the file, and replaces it by itself; what a rehearsal of this migration's that was killed has left goes. */
static int inspect_file(Proxy *proxy, bool (*stop)(void), char **text, json_t **plan, Error *error)
{
    if (pgcat_take_idle(proxy, IDLE_LIMIT_MS, stop, error) != 0) {
        return -1;
    }
    int status = check_files(proxy, error);
    if (status == 0) {
        status = pgcat_clean(proxy, &proxy->rehearsal, error);
    }
    if (status == 0) {
        status = pgcat_read_plan(proxy, text, plan, error);
    }
    pgcat_give_file(proxy);
    return status;
}

static int inspect(Proxy *proxy, const ProxyContext *outer, ProxyReport *report, Error *error)
{
    char *text, *edited = NULL;
    json_t *plan;
    Counting counting = {.outer = outer};
    ProxyContext listening = *outer;
    const ProxyContext *context = &listening;
    if (outer->problem != NULL) {
        listening.problem = count;
        listening.problem_context = &counting;
    }
    *report = (ProxyReport){0};
    if (inspect_file(proxy, outer->stop, &text, &plan, error) != 0) {
        return -1;
    }
    int status = pgcat_check_settings(text, plan, context, error);
    if (status == 0) {
        status = proxy_found(context, check_gate(text, plan, error), error);
    }
    /* The edit of the switch, made for nothing: what cannot be edited must show now. */
    if (status == 0) {
        status = proxy_found(
            context, pgcat_point(text, plan, &context->to, pgcat_timeout_ms(context), &edited, error), error);
    }
    if (status == 0) {
        status = proxy_found(context, pgcat_check_shown(proxy, plan, error), error);
    }
    /* The rehearsal reloads: over a pool that is paused, or from a file that is not what runs, that would do harm. */
    if (status == 0 && counting.problems == 0) {
        status = check_logins(proxy, context, text, plan, report, error);
    }
    if (status == 0) {
        snprintf(report->summary, sizeof report->summary,
                 "pgcat: %zu pools of \"%s\" at %s:%s, by transaction",
                 json_array_size(json_object_get(plan, "pools")), proxy->database, pgcat_text(plan, "host"),
                 pgcat_text(plan, "port"));
    }
    free(edited);
    free(text);
    json_decref(plan);
    return status;
}

/* One rehearsal of a migration at a time: what stands of another in the file was left by a run that was killed. */
int pgcat_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    char *path = NULL;
    FileTurn *turn;
    *report = (ProxyReport){0};
    if (asprintf(&path, "%s.%s", proxy->config, proxy->rehearsal.text) < 0) {
        abort();
    }
    const char *const paths[] = {path};
    int status = file_turn_take(paths, 1, REHEARSAL_LIMIT_MS, context->stop, &turn, error);
    free(path);
    if (status != 0) {
        return error_context(error, "the same migration is rehearsed");
    }
    status = inspect(proxy, context, report, error);
    file_turn_give(turn);
    return status;
}

int pgcat_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    char *text;
    json_t *plan;
    if (pgcat_read_plan(proxy, &text, &plan, error) != 0) {
        return -1;
    }
    int status = console_run(&proxy->console, "SHOW VERSION", NULL, error); /* connects, if it must */
    if (status == 0) {
        status = visit_users(proxy, route_find, context, text, plan, report, error);
    }
    free(text);
    json_decref(plan);
    return status;
}
