/*
 * The way that one user of a proxy takes: does it lead where we think, and will it lead where it is to go?
 */
#pragma once

#include "console.h"
#include "proxy.h"

/* Everything is borrowed; a password is NULL when it is not known. */
typedef struct RouteUser {
    const char *database; /* as clients name it to the proxy */
    const char *name, *password;
    const char *server_name, *server_password; /* with which the proxy logs in at the server */
} RouteUser;

/* One thing to do with each user of a proxy. */
typedef int (*RouteVisit)(const Console *console, const ProxyContext *context, const RouteUser *user,
                          ProxyReport *report, Error *error);

/* The connection string of that user through the proxy, with TLS and the like as the console is reached. The caller frees it;
 * it holds the password. */
char *route_uri(const Console *console, const RouteUser *user);

/* Makes report->probe the way of this user, when it has none yet and an answer comes that way. */
int route_find(const Console *console, const ProxyContext *context, const RouteUser *user,
               ProxyReport *report, Error *error) MUST_CHECK;

/*
 * Fails when the user cannot log in at context->to, or when its way through the proxy of console leads to another
 * server than context->source. The first user that gets an answer through the proxy becomes report->probe.
 */
int route_inspect(const Console *console, const ProxyContext *context, const RouteUser *user,
                  ProxyReport *report, Error *error) MUST_CHECK;

/* The same without the login at context->to. */
int route_inspect_way(const Console *console, const ProxyContext *context, const RouteUser *user,
                      ProxyReport *report, Error *error) MUST_CHECK;
