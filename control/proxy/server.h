/*
 * Looks at servers directly, as a user of the proxy, before clients are led to them.
 */
#pragma once

#include "proxy.h"

typedef struct ServerLogin {
    const char *database, *user;
    const char *password; /* NULL: not known */
} ServerLogin;

/*
 * That the wish's primary can be reached and is none's replica, that each replica follows it, and that no mirror is one of
 * them or the migration's target.
 */
int server_check_wish(const ProxyWish *wish, const ServerLogin *login, Error *error) MUST_CHECK;
