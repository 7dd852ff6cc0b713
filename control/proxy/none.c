/*
 * No proxy: nothing can be held. Fencing the source ends the sessions of the applications, and they come back
 * once the operator has pointed them at the target. Every operation is there and does nothing, so that the
 * cutover has one road.
 */
#include "hba.h"
#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>

struct Proxy {
    char database[64];
    bool accepts_untried;
};

static int none_open(const ProxySpec *spec, const char *migration, const char *database, Proxy **out,
                     Error *error)
{
    (void)migration;
    if (spec->admin_uri != NULL || spec->config != NULL) {
        return error_set(error, ERROR_USAGE, "--proxy none takes nothing after it but logins=accept");
    }
    *out = calloc(1, sizeof **out);
    snprintf((*out)->database, sizeof(*out)->database, "%s", database);
    (*out)->accepts_untried = spec->accepts_untried;
    return 0;
}

static void none_close(Proxy *proxy)
{
    free(proxy);
}

/* Nobody logs in for the applications; what can be known is what pg_hba.conf there makes of who is here now. */
static int check_sessions(const Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    char *why = NULL;
    if (hba_judge_sessions(context->source, context->target, context->to.database, &why, error) != 0) {
        return -1;
    }
    if (why != NULL && proxy->accepts_untried) {
        proxy_warn(report, "accepted: at %s:%s would be turned away %.400s", context->to.host,
                   context->to.port, why);
    } else if (why != NULL) {
        error_set(error, ERROR_TARGET, "at %s:%s would be turned away %.400s", context->to.host,
                  context->to.port, why);
        error_hint(error,
                   "These are sessions of now, by the address that they have here. Mend pg_hba.conf there, "
                   "or accept it: --proxy none,logins=accept.");
    }
    bool refused = why != NULL && !proxy->accepts_untried;
    free(why);
    return refused ? -1 : 0;
}

static int none_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    snprintf(report->summary, sizeof report->summary, "no proxy: database %s", proxy->database);
    snprintf(report->warning, sizeof report->warning,
             "without a proxy, clients are not held: their sessions end when the source is fenced");
    return proxy_found(context, check_sessions(proxy, context, report, error), error);
}

static int none_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    (void)proxy;
    (void)context;
    (void)error;
    report->probe[0] = '\0';
    return 0;
}

static int none_remember(Proxy *proxy, json_t **out, Error *error)
{
    (void)proxy;
    (void)error;
    *out = json_object();
    return 0;
}

static int none_with_context(Proxy *proxy, const ProxyContext *context, Error *error)
{
    (void)proxy;
    (void)context;
    (void)error;
    return 0;
}

static int none_restore(Proxy *proxy, const ProxyContext *context, const json_t *remembered, Error *error)
{
    (void)context;
    (void)proxy;
    (void)remembered;
    (void)error;
    return 0;
}

static int none_alone(Proxy *proxy, Error *error)
{
    (void)proxy;
    (void)error;
    return 0;
}

static int none_show(Proxy *proxy, json_t **rows, Error *error)
{
    (void)proxy;
    (void)error;
    *rows = json_array();
    return 0;
}

static int none_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    (void)proxy;
    (void)wish;
    (void)dry_run;
    *change = NULL;
    return error_set(error, ERROR_USAGE, "without a proxy there is nothing to set");
}

static int none_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error)
{
    return none_set(proxy, NULL, dry_run, change, error);
}

const ProxyOperations proxy_none = {
    .name = "none",
    .summary = "no proxy: fence the source, wait, then you point the applications at the target",
    .holds = false,
    .holds_again = true,
    .open = none_open,
    .close = none_close,
    .inspect = none_inspect,
    .find_probe = none_find_probe,
    .remember = none_remember,
    .hold = none_with_context,
    .point_at = none_with_context,
    .restore = none_restore,
    .release = none_with_context,
    .let_go = none_alone,
    .show = none_show,
    .set = none_set,
    .set_back = none_set_back,
};
