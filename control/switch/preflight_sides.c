/*
 * What the servers and the proxies must allow, and who is there: known before there is a copy, too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "passers.h"
#include "preflight_rows.h"
#include "probe.h"
#include "together.h"

#define PROBE_LIMIT_MS 5000

static int check_superuser(Database *database, const char *side, Error *error)
{
    bool super;
    int status = database_is_superuser(database, &super, error);
    if (status == 0 && !super) {
        error_set(error, ERROR_STATE, "the role of --%s is not superuser", side);
        status = error_hint(error, "The fence would shut it out: only superusers pass CONNECTION LIMIT 0.");
    }
    return status;
}

int check_leaving(Cutover *cutover, Error *error)
{
    return check_superuser(cutover->leaving, cutover->road->from, error);
}

int check_entering(Cutover *cutover, Error *error)
{
    return check_superuser(cutover->entering, cutover->road->to, error);
}

int check_prepared(Cutover *cutover, Error *error)
{
    return passers_check_prepared(cutover->leaving, cutover->road->from, error);
}

int check_writers(Cutover *cutover, Error *error)
{
    return cutover->options->end_writers
               ? 0
               : passers_check_subscriptions(cutover->leaving, cutover->road->from, error);
}

int check_transactions(Cutover *cutover, Error *error)
{
    return activity_check_age(cutover->leaving, cutover->options->max_transaction_age, error);
}

/* Superusers pass the fence if they insist: not an error, but it must be said. */
int name_superusers(Cutover *cutover, Error *error)
{
    char *who = NULL;
    if (database_value(cutover->leaving, &who, error,
                       "SELECT string_agg(format('pid %s: %s, %s', a.pid, a.usename,"
                       "   coalesce(nullif(a.application_name, ''), 'without application_name')), '; ')"
                       "  FROM pg_stat_activity a"
                       "  JOIN pg_roles r ON r.rolname = a.usename AND r.rolsuper"
                       " WHERE a.datname = current_database() AND a.backend_type = 'client backend'"
                       "   AND a.pid <> pg_backend_pid() AND a.application_name NOT LIKE 'penstock %'",
                       0) != 0) {
        return -1;
    }
    if (who != NULL) {
        cutover_warn(cutover,
                     "superusers are connected to the %s (%s): the fence ends their sessions and makes new "
                     "ones read-only, but cannot keep them out, nor from writing when they say so (SET "
                     "transaction_read_only); that would be noticed, and undo the switch or be said",
                     cutover->road->from, who);
    }
    free(who);
    return 0;
}

/* What the fence changes beside the database. */
int name_passers(Cutover *cutover, Error *error)
{
    char *who = NULL;
    if (passers_name(cutover->leaving, &who, error) != 0) {
        return -1;
    }
    if (who != NULL) {
        cutover_warn(cutover, "on the %s: %s", cutover->road->from, who);
    }
    free(who);
    return 0;
}

static void tell_proxy_problem(void *context, const Error *problem)
{
    preflight_problem(context, problem, NULL);
}

static void tell_report(Cutover *cutover, const CutoverProxy *proxy)
{
    if (*proxy->report.warning != '\0') {
        cutover_warn(cutover, "%s", proxy->report.warning);
    }
    if (proxy->operations->holds && *proxy->report.probe == '\0' && cutover->options->probe == NULL) {
        cutover_warn(cutover,
                     "no way through the proxy for a probe after the switch: no user of it with a known "
                     "password; --probe takes a connection string");
    }
    size_t used = strlen(cutover->note);
    if (*proxy->report.summary != '\0') {
        snprintf(cutover->note + used, sizeof cutover->note - used, "; %s", proxy->report.summary);
    }
}

int check_proxies(Cutover *cutover, Error *error)
{
    const ProxyReport *reports[MAX_PROXIES];
    bool whole = true;
    cutover->context.problem = tell_proxy_problem;
    cutover->context.problem_context = cutover;
    for (size_t i = 0; i < cutover->proxy_count && !interrupted(); i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        reports[i] = &proxy->report;
        if (proxy->proxy == NULL) {
            whole = false; /* it could not even be opened, and that was said */
            continue;
        }
        if (proxy->operations->inspect(proxy->proxy, &cutover->context, &proxy->report, error) != 0) {
            whole = false;
            preflight_problem(cutover, error, NULL);
        }
        tell_report(cutover, proxy);
    }
    cutover->context.problem = NULL;
    return whole && !interrupted() ? together_check(reports, cutover->proxy_count, error) : 0;
}

/* It is what says after the release that clients get where they should: a wrong password there would undo a good switch. */
int check_probe(Cutover *cutover, Error *error)
{
    ProbeAnswer answer;
    if (cutover->options->probe == NULL) {
        return 0;
    }
    if (probe(cutover->options->probe, false, PROBE_LIMIT_MS, &answer, error) != 0) {
        return error_hint(error, "The connection of --probe is what looks at the other side after the "
                                 "switch: see to its host, role and password.");
    }
    char system[32];
    if (database_identify(cutover->leaving, system, error) != 0) {
        return -1;
    }
    return strcmp(system, answer.system_identifier) == 0 || !cutover->holds
               ? 0
               : error_set(error, ERROR_STATE,
                           "the connection of --probe does not lead to the %s, but to another server of "
                           "version %d",
                           cutover->road->from, answer.version / 10000);
}
