/*
 * The fence between one applier and the next. When an applier dies, the server processes of its workers run on until
 * they have done what they were sent, a commit perhaps; a new applier that read the lanes before that would apply those
 * rows again. So each worker's connection holds a shared lock for its life, and whoever starts takes it exclusively for
 * a moment: it gets it only when the last of them has ended.
 *
 * Behind a network that was cut the server may not know yet that nobody listens any more, and a transaction stay open
 * that waits for its next statement. So those that do not end by themselves are asked to end: they belong to the applier
 * whose lock the caller has now. What was committed stays, the rest will be applied again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "advisory.h"
#include "state.h"

#define WORKERS_KEY "hashtextextended(concat('penstock:workers:', $1::text), 0)"
#define WORKERS ADVISORY_HOLDERS(WORKERS_KEY, "")
#define GRACE_MS 2000 /* before they are asked to end */

int state_lock_worker(Database *target, const char *name, Error *error)
{
    if (database_execute(target, error, "SELECT pg_advisory_lock_shared(" WORKERS_KEY ")", 1, name) != 0) {
        return error_context(error, "taking the workers' lock of migration \"%s\"", name);
    }
    return 0;
}

/* Who still holds it, for people. */
static int still_there(Database *target, const char *name, int timeout_ms, Error *error)
{
    char *holders = NULL;
    if (database_value(target, &holders, error, "SELECT string_agg(l.pid::text, ', ') FROM " WORKERS, 1,
                       name) != 0) {
        return -1;
    }
    error_set(error, ERROR_TRANSIENT,
              "workers of an earlier applier still run on the target after %d s: process %s",
              timeout_ms / 1000, holders != NULL ? holders : "unknown");
    error_hint(error,
               "They end with the statement they are in; SELECT pg_terminate_backend(pid) on the target ends "
               "them at once.");
    free(holders);
    return -1;
}

/* Takes the lock and gives it back: nobody has it. *gone is false when somebody still has it after so long. */
static int wait_until_gone(Database *target, const char *name, int milliseconds, bool *gone, Error *error)
{
    char limit[48];
    snprintf(limit, sizeof limit, "SET lock_timeout = %d", milliseconds);
    *gone = false;
    if (database_execute(target, error, limit, 0) != 0) {
        return -1;
    }
    if (database_execute(target, error, "SELECT pg_advisory_lock(" WORKERS_KEY ")", 1, name) != 0) {
        return strcmp(error->sqlstate, "55P03") == 0 ? 0 : -1;
    }
    *gone = true;
    return database_execute(target, error, "SELECT pg_advisory_unlock(" WORKERS_KEY ")", 1, name) == 0
               ? database_execute(target, error, "SET lock_timeout = 0", 0)
               : -1;
}

/* Those of another user are left alone: ending them might be refused. */
static int ask_to_end(Database *target, const char *name, Error *error)
{
    return database_execute(
        target, error,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = current_user "
        "AND pid IN (SELECT l.pid FROM " WORKERS ")",
        1, name);
}

int state_wait_workers(Database *target, const char *name, int timeout_ms, Error *error)
{
    bool gone = false;
    if (wait_until_gone(target, name, GRACE_MS, &gone, error) != 0) {
        return -1;
    }
    if (!gone && (ask_to_end(target, name, error) != 0 ||
                  wait_until_gone(target, name, timeout_ms - GRACE_MS, &gone, error) != 0)) {
        return -1;
    }
    return gone ? 0 : still_there(target, name, timeout_ms, error);
}

int state_blocked(Database *target, const char *name, char **json, char **text, Error *error)
{
    PGresult *result = NULL;
    *json = *text = NULL;
    if (database_query(
            target, &result, error,
            "WITH workers AS MATERIALIZED (SELECT l.pid FROM " WORKERS "), "
            "waits AS (SELECT w.pid AS worker_pid, b.pid, a.usename, a.application_name, a.state, "
            "left(a.query, 300) AS query, "
            "round(extract(epoch FROM clock_timestamp() - w.query_start)::numeric, 1) AS seconds, "
            "(SELECT relation::regclass::text FROM pg_locks WHERE pid = w.pid AND relation IS NOT NULL "
            "AND NOT granted LIMIT 1) AS relation "
            "FROM workers JOIN pg_stat_activity w USING (pid), LATERAL unnest(pg_blocking_pids(w.pid)) AS "
            "b(pid) "
            "LEFT JOIN pg_stat_activity a ON a.pid = b.pid "
            "WHERE w.wait_event_type = 'Lock' AND clock_timestamp() - w.query_start > interval '1 second' "
            "AND b.pid NOT IN (SELECT pid FROM workers)) "
            "SELECT json_agg(json_build_object('worker_pid', worker_pid, 'relation', relation, 'seconds', "
            "seconds, 'pid', pid, 'user', usename, 'application', application_name, 'state', state, 'query', "
            "query)), string_agg(DISTINCT CASE pid WHEN 0 THEN 'a prepared transaction' ELSE "
            "format('process %s (user %s, application \"%s\", %s: %s)', pid, usename, application_name, "
            "state, query) END, '; ') FROM waits",
            1, name) != 0) {
        return error_context(error, "looking for locks that workers wait for");
    }
    if (!PQgetisnull(result, 0, 0)) {
        *json = strdup(PQgetvalue(result, 0, 0));
        *text = strdup(PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return 0;
}
