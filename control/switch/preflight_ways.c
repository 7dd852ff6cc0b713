/*
 * The way back: what a cutover needs for it, and what a rollback finds of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "fence_sql.h"
#include "measure.h"
#include "preflight_rows.h"
#include "reverse.h"

#define WAY_PATIENCE_MS 20000

static void tell_of_server(void *context, const Error *problem, const char *fix)
{
    preflight_problem(context, problem, fix);
}

int check_reverse_servers(Cutover *cutover, Error *error)
{
    if (cutover->options->no_reverse) {
        return 0;
    }
    const ReverseListener listener = {.found = tell_of_server, .context = cutover};
    return reverse_check_servers(cutover->source, cutover->target, &cutover->migration, &listener, error);
}

/* Who copies and follows need not be able to: then somebody else makes the switch. */
int check_reverse_role(Cutover *cutover, Error *error)
{
    char *role = NULL;
    if (cutover->options->no_reverse) {
        return 0;
    }
    if (database_value(
            cutover->target, &role, error,
            "SELECT quote_ident(rolname) FROM pg_catalog.pg_roles WHERE rolname = current_user AND "
            "NOT rolsuper AND NOT rolreplication",
            0) != 0) {
        return -1;
    }
    if (role != NULL) {
        Error problem;
        char fix[160];
        error_set(&problem, ERROR_STATE, "the role of --target, %s, is neither superuser nor REPLICATION",
                  role);
        error_hint(&problem, "The slot of the way back takes that.");
        snprintf(fix, sizeof fix, "ALTER ROLE %s REPLICATION;", role);
        preflight_problem(cutover, &problem, fix);
    }
    free(role);
    return 0;
}

int check_reverse_login(Cutover *cutover, Error *error)
{
    bool stored = false;
    if (cutover->options->no_reverse) {
        return 0;
    }
    if (reverse_check_login(cutover->source, &cutover->migration, &cutover->reverse_conninfo, &stored,
                            error) != 0) {
        return -1;
    }
    if (stored) {
        cutover_warn(
            cutover,
            "the way back: stored in pg_subscription on the source, where superusers can read it: the "
            "password of --reverse-conninfo. Better: put it into ~/.pgpass, or a service file, of the "
            "user that the source's server runs as, and leave it out");
    }
    return 0;
}

/* Before the copy the tables of the source are asked: their replica identities are those that there will be. */
int name_reverse_limits(Cutover *cutover, Error *error)
{
    char warning[1600];
    bool early = preflight_is_early(cutover);
    if (cutover->options->no_reverse) {
        return 0;
    }
    if (reverse_name_limits(cutover->source, early ? NULL : cutover->target, &cutover->migration, warning,
                            sizeof warning, error) != 0) {
        return -1;
    }
    if (*warning != '\0') {
        cutover_warn(cutover, "the way back: %s", warning);
    }
    return 0;
}

/* The fence has stood since the cutover, or what is on the source is not what the way back thinks it is. */
int check_fence(Cutover *cutover, Error *error)
{
    bool stands;
    if (database_found(cutover->source, &stands, error, "SELECT true WHERE " FENCE_STANDS, 0) != 0) {
        return -1;
    }
    if (stands) {
        return 0;
    }
    error_set(error, ERROR_STATE, "the source is not fenced any more");
    return error_hint(error,
                      "Find out what was written there since. When it may stay: ALTER DATABASE … CONNECTION "
                      "LIMIT 0, ALTER DATABASE … SET default_transaction_read_only = on, and again.");
}

int check_way_back(Cutover *cutover, Error *error)
{
    for (int64_t deadline = clock_ms() + WAY_PATIENCE_MS;; clock_pause_ms(100)) {
        ReverseState state;
        if (reverse_state(cutover->target, &cutover->migration, &state, error) != 0) {
            return -1;
        }
        if (state.active || !state.exists) {
            return check_lag(cutover, error);
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_STATE, "the subscription on the source does not run, %lld bytes behind",
                      (long long)state.lag);
            return error_hint(error, "The log of the source says why.");
        }
    }
}
