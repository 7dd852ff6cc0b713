/*
 * What the files of the PgBouncer adapter share: adapter.c has the operations that hold, inspect.c the checks
 * beforehand, config.c those that change the configuration file. Private to this folder.
 */
#pragma once

#include "console.h"
#include "proxy.h"
#include "route.h"

struct Proxy {
    Console console;
    char *uri;
    char *config; /* NULL until it is known */
    char *entry;  /* name in [databases] */
};

/* SHOW DATABASES, which the caller frees, and the entry's row in it; -1 when PgBouncer has not made it yet from its `*`
 * line. */
int pgbouncer_show_entry(Proxy *proxy, PGresult **out, int *row, Error *error) MUST_CHECK;

/* The text of the configuration file, which the caller frees. */
int pgbouncer_read_config(Proxy *proxy, char **text, Error *error) MUST_CHECK;

/* Finds the configuration file, when it was not named, in SHOW CONFIG. */
int pgbouncer_find_config(Proxy *proxy, const PGresult *config, Error *error) MUST_CHECK;

/* Runs visit for each user who has a pool of the entry. */
int pgbouncer_visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, ProxyReport *report,
                          Error *error) MUST_CHECK;

/* That PgBouncer leads the entry where text says. */
int pgbouncer_check_shown(Proxy *proxy, const char *text, Error *error) MUST_CHECK;

/* Makes PgBouncer use the text, and sees that it does. */
int pgbouncer_apply(Proxy *proxy, const char *text, Error *error) MUST_CHECK;

/* For penstock proxy; see proxy.h. */
int pgbouncer_show(Proxy *proxy, json_t **rows, Error *error) MUST_CHECK;
int pgbouncer_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change,
                  Error *error) MUST_CHECK;
int pgbouncer_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error) MUST_CHECK;

/* See proxy.h. */
int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                      Error *error) MUST_CHECK;
int pgbouncer_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                         Error *error) MUST_CHECK;
int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error) MUST_CHECK;
int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error) MUST_CHECK;
int pgbouncer_restore(Proxy *proxy, const json_t *remembered, Error *error) MUST_CHECK;
