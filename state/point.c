#include "point.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [POINT_NONE] = "",       [POINT_WANTED] = "wanted",     [POINT_HELD] = "held",
    [POINT_TAKEN] = "taken", [POINT_REFUSED] = "refused",   [POINT_REACHED] = "reached",
    [POINT_OVER] = "over",   [POINT_RELEASED] = "released", [POINT_GIVEN_UP] = "given up",
};

/* The applier stands, or may. */
#define UNDER_WAY "('held', 'taken', 'refused', 'reached', 'released')"

static PointState state_of(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            return (PointState)i;
        }
    }
    return POINT_NONE;
}

static int read_row(const PGresult *row, StreamPoint *out, Error *error)
{
    Lsn end;
    out->number = strtoll(PQgetvalue(row, 0, 0), NULL, 10);
    out->state = state_of(PQgetvalue(row, 0, 1));
    out->limit_ms = (int)strtol(PQgetvalue(row, 0, 2), NULL, 10);
    out->held_ms = strtod(PQgetvalue(row, 0, 5), NULL);
    snprintf(out->reason, sizeof out->reason, "%s", PQgetvalue(row, 0, 6));
    if (PQgetisnull(row, 0, 3)) {
        return 0;
    }
    if (!lsn_parse(PQgetvalue(row, 0, 4), &end)) {
        return error_set(error, ERROR_STATE, "penstock.point.end_lsn is not an LSN");
    }
    return snapshot_parse(PQgetvalue(row, 0, 3), end, &out->snapshot, error);
}

int state_point_read(Database *target, const char *migration, StreamPoint *out, Error *error)
{
    PGresult *row = NULL;
    *out = (StreamPoint){.state = POINT_NONE};
    if (database_query(target, &row, error,
                       "SELECT number, state, limit_ms, seen, end_lsn, held_ms, reason FROM penstock.point"
                       " WHERE migration = $1",
                       1, migration) != 0) {
        return error_context(error, "reading the point that is to be compared");
    }
    int status = PQntuples(row) == 0 ? 0 : read_row(row, out, error);
    PQclear(row);
    return status;
}

int state_point_want(Database *target, const char *migration, int limit_ms, int64_t *number, Error *error)
{
    char limit[16], *text = NULL;
    snprintf(limit, sizeof limit, "%d", limit_ms);
    if (database_value(target, &text, error,
                       "INSERT INTO penstock.point AS p (migration, number, state, limit_ms)"
                       " VALUES ($1, 1, 'wanted', $2::int)"
                       " ON CONFLICT (migration) DO UPDATE SET number = p.number + 1, state = 'wanted',"
                       " limit_ms = excluded.limit_ms, seen = NULL, end_lsn = NULL, held_ms = NULL,"
                       " reason = NULL, changed_at = clock_timestamp() RETURNING number",
                       2, migration, limit) != 0) {
        return error_context(error, "asking the applier for a point to compare at");
    }
    *number = text != NULL ? strtoll(text, NULL, 10) : 0;
    free(text);
    return 0;
}

int state_point_move(Database *target, const char *migration, int64_t number, PointState from, PointState to,
                     const PointNote *note, bool *moved, Error *error)
{
    char digits[24], held[32];
    const PointNote none = {0};
    note = note != NULL ? note : &none;
    snprintf(digits, sizeof digits, "%lld", (long long)number);
    snprintf(held, sizeof held, "%.3f", note->held_ms);
    if (database_found(target, moved, error,
                       "UPDATE penstock.point SET state = $4, seen = coalesce($5, seen),"
                       "       end_lsn = coalesce($6::pg_lsn, end_lsn), reason = coalesce($7, reason),"
                       "       held_ms = coalesce(nullif($8::float8, 0), held_ms),"
                       "       changed_at = clock_timestamp()"
                       " WHERE migration = $1 AND number = $2::int8"
                       "   AND (state = $3 OR $3 = '' AND state IN " UNDER_WAY ") RETURNING 1",
                       8, migration, digits, names[from], names[to], note->seen, note->end, note->reason,
                       held) != 0) {
        return error_context(error, "moving a point that is to be compared on to \"%s\"", names[to]);
    }
    return 0;
}

int state_point_abandon(Database *target, const char *migration, Error *error)
{
    return database_execute(target, error,
                            "UPDATE penstock.point SET state = 'given up', reason = 'the applier began anew',"
                            "       changed_at = clock_timestamp()"
                            " WHERE migration = $1 AND state IN " UNDER_WAY,
                            1, migration) == 0
               ? 0
               : error_context(error, "giving up the point of an earlier run");
}
