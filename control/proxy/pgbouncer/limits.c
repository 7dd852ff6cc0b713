/*
 * PgBouncer's own limits run on while it is paused: what would disconnect clients, or hold them for longer than is said,
 * must be found while nobody waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

#include "pgbouncer/pgbouncer.h"

/* Limits that end clients while they are held: janitor.c looks at them in a paused database, too. */
static const char *const ending[] = {"query_wait_timeout", "query_timeout", "client_login_timeout"};

#define ENDING (sizeof ending / sizeof *ending)

/* seconds 0 means that there is no limit. */
static int check_limit(const char *name, const char *of, double seconds, const ProxyContext *context,
                       Error *error)
{
    if (seconds <= 0 || seconds * 1000 > context->hold_limit_ms) {
        return 0;
    }
    error_set(error, ERROR_STATE, "PgBouncer's %s%s (%g s) is not longer than the hold limit (%g s)", name,
              of, seconds, context->hold_limit_ms / 1000.0);
    error_hint(error, "It would disconnect held clients. Raise it and RELOAD, or lower --hold-limit.");
    return proxy_found(context, -1, error);
}

/*
 * A login that PAUSE cuts off, or that the fence refuses (min_pool_size makes PgBouncer try), counts as a failed one:
 * PgBouncer waits that long before the first login after RESUME, and every client with it.
 */
static int check_retry(const PGresult *config, const ProxyContext *context, Error *error)
{
    double seconds = number_real(pgbouncer_setting(config, "server_login_retry"));
    if (seconds <= 1) {
        return 0;
    }
    error_set(error, ERROR_STATE, "PgBouncer's server_login_retry (%g s) is longer than 1 s", seconds);
    error_hint(error,
               "All clients might have to wait that long after the switch, beyond the drain limit and the "
               "hold. Set server_login_retry = 1 in its file and RELOAD.");
    return proxy_found(context, -1, error);
}

static bool is_among(char *const *names, const char *name)
{
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* Newer versions have some of the limits for a database or a user alone. entries NULL: every line of the section counts. */
static int check_section(const char *text, const char *section, const char *limit, char *const *entries,
                         const ProxyContext *context, Error *error)
{
    const char *at = text;
    char *name, *value;
    int status = 0;
    while (status == 0 && (value = ini_next_setting(text, &at, section, limit, &name)) != NULL) {
        char of[96];
        snprintf(of, sizeof of, " of \"%.80s\"", name);
        if (entries == NULL || is_among(entries, name)) {
            status = check_limit(limit, of, number_real(value), context, error);
        }
        free(name);
        free(value);
    }
    return status;
}

int pgbouncer_check_limits(const PGresult *config, const char *text, char *const *entries,
                           const ProxyContext *context, Error *error)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < ENDING; i++) {
        status =
            check_limit(ending[i], "", number_real(pgbouncer_setting(config, ending[i])), context, error);
        if (status == 0) {
            status = check_section(text, "databases", ending[i], entries, context, error);
        }
        if (status == 0) {
            status = check_section(text, "users", ending[i], NULL, context, error);
        }
    }
    return status == 0 ? check_retry(config, context, error) : status;
}
