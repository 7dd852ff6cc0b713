/*
 * The fence between one applier and the next. When an applier dies, the server processes of its workers run on until
 * they have done what they were sent, a commit perhaps; a new applier that read the lanes before that would apply those
 * rows again. So each worker's connection holds a shared lock for its life, and whoever starts takes it exclusively for
 * a moment: it gets it only when the last of them has ended.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define WORKERS_KEY "hashtextextended('penstock:workers:' || $1::text, 0)"

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
    if (database_value(target, &holders, error,
                       "SELECT string_agg(l.pid::text, ', ') FROM pg_locks l, LATERAL (SELECT " WORKERS_KEY
                       " AS key) k WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
                       "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                       "AND (l.classid::bigint << 32 | l.objid::bigint) = k.key",
                       1, name) != 0) {
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

int state_wait_workers(Database *target, const char *name, int timeout_ms, Error *error)
{
    char limit[48];
    snprintf(limit, sizeof limit, "SET lock_timeout = %d", timeout_ms);
    if (database_execute(target, error, limit, 0) != 0) {
        return -1;
    }
    int status = database_execute(target, error, "SELECT pg_advisory_lock(" WORKERS_KEY ")", 1, name);
    if (status == 0) {
        status = database_execute(target, error, "SELECT pg_advisory_unlock(" WORKERS_KEY ")", 1, name);
    } else if (strcmp(error->sqlstate, "55P03") == 0) {
        return still_there(target, name, timeout_ms, error);
    }
    return status == 0 ? database_execute(target, error, "SET lock_timeout = 0", 0) : -1;
}

int state_blocked(Database *target, const char *name, char **json, char **text, Error *error)
{
    PGresult *result = NULL;
    *json = *text = NULL;
    if (database_query(
            target, &result, error,
            "WITH workers AS MATERIALIZED (SELECT l.pid FROM pg_locks l, LATERAL (SELECT " WORKERS_KEY
            " AS key) k WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 "
            "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND (l.classid::bigint << 32 | l.objid::bigint) = k.key), "
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
