/*
 * How far the stream may go while tables are still copied, and parts that have to be copied anew.
 *
 * The number of the newest published snapshot and the fact that nothing more is waited for are read in one statement, so
 * that both are of one moment.
 */
#include "bound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int read_bound(const PGresult *row, StreamBound *out, Error *error)
{
    *out = (StreamBound){.is_free = PQgetvalue(row, 0, 0)[0] == 't'};
    if (PQgetisnull(row, 0, 1)) {
        out->snapshot = snapshot_by_lsn(LSN_INVALID);
        return 0;
    }
    Lsn end;
    out->number = (int)strtol(PQgetvalue(row, 0, 1), NULL, 10);
    if (!lsn_parse(PQgetvalue(row, 0, 3), &end)) {
        return error_set(error, ERROR_STATE, "penstock.snapshot.end_lsn is not an LSN");
    }
    if (PQgetisnull(row, 0, 2)) {
        out->snapshot = snapshot_by_lsn(end);
        return 0;
    }
    return snapshot_parse(PQgetvalue(row, 0, 2), end, &out->snapshot, error);
}

int state_load_bound(Database *target, const char *migration, StreamBound *out, Error *error)
{
    PGresult *row = NULL;
    if (database_query(target, &row, error,
                       "SELECT m.phase NOT IN ('created', 'copying'), s.number, s.seen, s.end_lsn"
                       "  FROM penstock.migration m LEFT JOIN LATERAL ("
                       "       SELECT number, seen, end_lsn FROM penstock.snapshot"
                       "        WHERE migration = m.name AND published_at IS NOT NULL"
                       "        ORDER BY number DESC LIMIT 1) s ON true"
                       " WHERE m.name = $1",
                       1, migration) != 0) {
        return error_context(error, "asking how far the stream may go");
    }
    int status = PQntuples(row) == 1 ? read_bound(row, out, error)
                                     : error_set(error, ERROR_STATE, "migration \"%s\" is gone", migration);
    PQclear(row);
    return status;
}

int state_note_reached(Database *target, const char *migration, int snapshot, Error *error)
{
    char number[16];
    snprintf(number, sizeof number, "%d", snapshot);
    if (database_execute(target, error,
                         "UPDATE penstock.snapshot SET reached_at = clock_timestamp()"
                         " WHERE migration = $1 AND number = $2::int AND reached_at IS NULL",
                         2, migration, number) != 0) {
        return error_context(error, "noting how far the stream has come");
    }
    return 0;
}

/* Those that are at work are left: they read a snapshot that is not older than the one that the stream is bound by. */
#define RECOPY(which)                                                                                        \
    "WITH again AS (UPDATE penstock.job SET state = 'pending', anew = true, snapshot = NULL"                 \
    "                WHERE migration = $1 AND state = 'done' AND id IN (" which ") RETURNING id)"            \
    " UPDATE penstock.relation r SET copy_state = 'pending', copy_lsn = NULL, snapshot = NULL"               \
    "   FROM again JOIN penstock.job_relation jr ON jr.job = again.id WHERE r.id = jr.relation"

int state_recopy_parts(Database *target, const char *migration, const char *jobs, Error *error)
{
    if (database_execute(target, error, RECOPY("SELECT unnest($2::int8[])"), 2, migration, jobs) != 0) {
        return error_context(error, "noting that parts of tables have to be copied anew");
    }
    return 0;
}

int state_recopy_table(Database *target, const char *migration, int64_t relation, Error *error)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)relation);
    if (database_execute(target, error,
                         RECOPY("SELECT job FROM penstock.job_relation WHERE relation = $2::int8"), 2,
                         migration, number) != 0) {
        return error_context(error, "noting that a table has to be copied anew");
    }
    return 0;
}
