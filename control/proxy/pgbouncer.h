/*
 * What the files of the PgBouncer adapter share: pgbouncer.c has the operations that hold, pgbouncer_inspect.c the checks
 * beforehand, pgbouncer_config.c those that change the configuration file. Private to this folder.
 */
#pragma once

#include "console.h"
#include "proxy.h"

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

/* See proxy.h. */
int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                      Error *error) MUST_CHECK;
int pgbouncer_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                         Error *error) MUST_CHECK;
int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error) MUST_CHECK;
int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error) MUST_CHECK;
int pgbouncer_restore(Proxy *proxy, const json_t *remembered, Error *error) MUST_CHECK;
