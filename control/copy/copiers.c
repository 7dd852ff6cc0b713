#include "copiers.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "text.h"

#define GIVEN_UP "60 s"

int copier_enter(Database *target, const char *migration, int64_t *id, Error *error)
{
    char host[256] = "", pid[16], *made = NULL;
    gethostname(host, sizeof host - 1);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (database_value(
            target, &made, error,
            "INSERT INTO penstock.copier (migration, host, pid) VALUES ($1, $2, $3::int) RETURNING id", 3,
            migration, host, pid) != 0) {
        return error_context(error, "joining the copy");
    }
    *id = made != NULL ? strtoll(made, NULL, 10) : 0;
    free(made);
    return 0;
}

int copier_beat(Database *target, int64_t id, const WorkerYard *yard, Error *error)
{
    Text sessions = {0};
    char text[24];
    bool there = false;
    for (int i = 0; i < yard_size(yard->copy); i++) {
        int pid = atomic_load(&yard->watches[i].session);
        if (pid != 0) {
            snprintf(text, sizeof text, "%d", pid);
            text_array_add(&sessions, text);
        }
    }
    text_array_end(&sessions);
    snprintf(text, sizeof text, "%lld", (long long)id);
    int status = database_found(target, &there, error,
                                "UPDATE penstock.copier SET seen_at = clock_timestamp(), sessions = $2::int[]"
                                " WHERE id = $1::int8 RETURNING 1",
                                2, text, sessions.data);
    text_free(&sessions);
    if (status != 0 || there) {
        return status;
    }
    error_set(error, ERROR_STATE, "this process was given up, because it was not seen for " GIVEN_UP);
    return error_hint(error, "what it was at is done by others; join again with the same command");
}

int copier_leave(Database *target, int64_t id, Error *error)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)id);
    return database_execute(target, error, "DELETE FROM penstock.copier WHERE id = $1::int8", 1, text);
}

static void tell(const Copy *copy, const PGresult *rows)
{
    for (int i = 0; i < PQntuples(rows); i++) {
        progress_warn(copy->progress,
                      "process %s on %s, which copied along, was not seen for " GIVEN_UP
                      ": what it was at is done again",
                      PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 0));
    }
}

/* A session is known by its process and by what it calls itself: the number may be another's by now. */
int copiers_tend(const Copy *copy, bool *any, Error *error)
{
    PGresult *rows = NULL;
    const char *migration = copy->settings->migration;
    if (database_query(copy->target, &rows, error,
                       "WITH lost AS (DELETE FROM penstock.copier WHERE migration = $1"
                       "     AND seen_at < clock_timestamp() - interval '" GIVEN_UP
                       "' RETURNING host, pid, sessions)"
                       " SELECT host, pid, (SELECT count(pg_catalog.pg_terminate_backend(a.pid))"
                       "     FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (lost.sessions)"
                       "      AND a.application_name = pg_catalog.left(pg_catalog.concat('penstock join ', "
                       "$1::text), 63))"
                       "  FROM lost",
                       1, migration) != 0) {
        return error_context(error, "looking after the processes that copy along");
    }
    tell(copy, rows);
    PQclear(rows);
    return database_found(copy->target, any, error,
                          "SELECT 1 FROM penstock.copier WHERE migration = $1 LIMIT 1", 1, migration);
}
