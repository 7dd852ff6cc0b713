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

int check_definitions(Cutover *cutover, Error *error)
{
    const ReverseListener listener = {.found = tell_of_server, .context = cutover};
    if (cutover->options->no_reverse) {
        return 0;
    }
    return reverse_try_definitions(cutover->source, DATABASE_SOURCE, &listener, error) == 0
               ? reverse_try_definitions(cutover->target, DATABASE_TARGET, &listener, error)
               : -1;
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

/* What will not run however long it is waited for: ERROR_STATE says why, and what mends it. */
static int check_subscription(Cutover *cutover, const char *name, Error *error)
{
    bool exists, enabled;
    char *why = NULL, *fix = NULL;
    if (reverse_subscription(cutover->source, &cutover->migration, &exists, &enabled, error) != 0) {
        return -1;
    }
    if (!exists) {
        error_set(error, ERROR_STATE, "the subscription %s is gone from the source", name);
        return error_hint(error,
                          "What was written to the target since does not come back by itself: see what it is "
                          "before anything else (penstock verify).");
    }
    if (!enabled) {
        error_set(error, ERROR_STATE, "the subscription %s on the source is disabled", name);
        return error_hint(
            error, "On the source: SET default_transaction_read_only = off; ALTER SUBSCRIPTION %s ENABLE",
            name);
    }
    if (reverse_no_worker(cutover->source, &cutover->migration, &why, &fix, error) != 0) {
        return -1;
    }
    int status = 0;
    if (why != NULL) {
        status = error_set(error, ERROR_STATE, "the subscription on the source does not run: %s", why);
        error_hint(error, "On the source: %s and start it again, or end the one that can be spared.", fix);
    }
    free(why);
    free(fix);
    return status;
}

/* Said once, when the first look found nobody. */
static void tell_of_wait(Cutover *cutover, const char *name, const ReverseState *state, bool *told)
{
    if (!*told) {
        cutover_warn(
            cutover,
            "waiting for the subscription %s on the source, which does not run, %lld bytes behind: %d s at "
            "most. The log of the source says why",
            name, (long long)state->lag, WAY_PATIENCE_MS / 1000);
    }
    *told = true;
}

int check_way_back(Cutover *cutover, Error *error)
{
    char name[64];
    bool told = false;
    if (reverse_name(&cutover->migration, name, error) != 0) {
        return -1;
    }
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
        if (check_subscription(cutover, name, error) != 0) {
            return -1;
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_STATE, "the subscription on the source does not run, %lld bytes behind",
                      (long long)state.lag);
            return error_hint(error, "The log of the source says why.");
        }
        tell_of_wait(cutover, name, &state, &told);
    }
}
