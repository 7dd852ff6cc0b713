/*
 * A user whom the proxy does not let in with what we know is no error: many proxies keep only hashes of passwords. One
 * whom it lets in must meet the server that clients are about to leave.
 */
#include "route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "probe.h"
#include "text.h"

#define PROBE_LIMIT_MS 5000

static bool is_of_the_session(const char *keyword)
{
    static const char *const names[] = {"dbname",  "user",        "password",       "application_name",
                                        "options", "replication", "client_encoding"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(keyword, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

char *route_uri(const Console *console, const RouteUser *user)
{
    PQconninfoOption *all = PQconninfo(database_connection(console->database));
    Text uri = {0};
    for (PQconninfoOption *one = all; one != NULL && one->keyword != NULL; one++) {
        if (one->val != NULL && *one->val != '\0' && !is_of_the_session(one->keyword)) {
            text_conninfo_add(&uri, one->keyword, one->val);
        }
    }
    PQconninfoFree(all);
    text_conninfo_add(&uri, "dbname", user->database);
    text_conninfo_add(&uri, "user", user->name);
    text_conninfo_add(&uri, "password", user->password != NULL ? user->password : "");
    return uri.data;
}

static int check_answer(const ProxyContext *context, const RouteUser *user, const ProbeAnswer *answer,
                        Error *error)
{
    char system[32];
    if (database_identify(context->source, system, error) != 0) {
        return -1;
    }
    if (strcmp(system, answer->system_identifier) == 0) {
        return 0;
    }
    error_set(error, ERROR_STATE, "\"%s\" of the proxy does not lead to %s:%s, but to another server",
              user->database, context->from.host, context->from.port);
    return error_hint(error, "A server of version %d answers there. Is it the right proxy?",
                      answer->version / 10000);
}

/* False when nobody answers. */
static bool find(const Console *console, const RouteUser *user, ProxyReport *report, ProbeAnswer *answer)
{
    Error ignored;
    char *uri = route_uri(console, user);
    bool answers = probe(uri, false, PROBE_LIMIT_MS, answer, &ignored) == 0;
    snprintf(report->probe, sizeof report->probe, "%s", answers ? uri : "");
    free(uri);
    return answers;
}

int route_find(const Console *console, const ProxyContext *context, const RouteUser *user,
               ProxyReport *report, Error *error)
{
    ProbeAnswer answer;
    (void)context;
    (void)error;
    if (report->probe[0] == '\0') {
        find(console, user, report, &answer);
    }
    return 0;
}

int route_inspect_way(const Console *console, const ProxyContext *context, const RouteUser *user,
                      ProxyReport *report, Error *error)
{
    ProbeAnswer answer;
    return report->probe[0] != '\0' || !find(console, user, report, &answer)
               ? 0
               : check_answer(context, user, &answer, error);
}

int route_inspect(const Console *console, const ProxyContext *context, const RouteUser *user,
                  ProxyReport *report, Error *error)
{
    return credentials_check(context->source, context->target, &context->to, user->server_name,
                             user->server_password, error) == 0
               ? route_inspect_way(console, context, user, report, error)
               : -1;
}
