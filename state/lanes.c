/*
 * The lanes, and who may move them.
 *
 * Whoever applies a change writes, in the same transaction, that its lane has it. If two appliers did so at a time, both
 * having read the lanes before the other wrote them, rows would be applied twice. Locks keep them apart (workers.c), but a
 * lock lives in a session, and one that has lost it may not know yet. So the rows of penstock.lane decide:
 *
 *     take over    UPDATE … SET epoch = epoch + 1 RETURNING position    waits for every transaction that moves a lane, and
 *                                                                       gives the positions that it left
 *     move         UPDATE … WHERE epoch = mine                          waits for one who takes over, and then finds no row
 *
 * What a lane was before stays in the table as long as somebody's snapshot may see it. A move names its row by all of the
 * key, and the number of moves is in it: it finds one entry of the index, however many there are.
 *
 * Both lock the same rows, and under READ COMMITTED a row that was waited for is looked at again as it is then
 * (EvalPlanQual, all majors); under a stricter isolation the server refuses it (40001). So when the lanes have been taken
 * over, whoever had them before can commit nothing more, and the positions that were read stay true. Every transaction
 * that applies rows moves at least the lane that they are in; one that finds too few lanes is rolled back whole.
 */
#include "state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The source's epoch, and a time of it as microseconds since then: exact, for it has no more than 53 bits. */
#define EPOCH "'2000-01-01 00:00:00+00'::timestamptz"
#define POSITION                                                                                             \
    "lane, commit_lsn, sequence, epoch, (extract(epoch FROM commit_time - " EPOCH ") * 1000000)::int8"

static int fill_positions(const Migration *migration, const PGresult *result, LanePosition *positions,
                          int64_t *epoch, Error *error)
{
    int count = PQntuples(result);
    bool complete = count == migration->lanes;
    for (int i = 0; complete && i < count; i++) {
        int64_t own = strtoll(PQgetvalue(result, i, 3), NULL, 10);
        complete = (int)strtol(PQgetvalue(result, i, 0), NULL, 10) == i && (i == 0 || own == *epoch) &&
                   lsn_parse(PQgetvalue(result, i, 1), &positions[i].commit_lsn);
        positions[i].sequence = strtoull(PQgetvalue(result, i, 2), NULL, 10);
        positions[i].commit_time = strtoll(PQgetvalue(result, i, 4), NULL, 10);
        *epoch = own;
    }
    if (!complete) {
        error_set(
            error, ERROR_STATE,
            "migration \"%s\" has %d lanes, but penstock.lane has %d rows for it, or they do not belong "
            "together",
            migration->name, migration->lanes, count);
        return error_hint(error, "penstock.lane was changed by something other than the applier: run "
                                 "penstock finish --abandon, then penstock copy again.");
    }
    return 0;
}

int state_take_lanes(Database *target, const Migration *migration, LanePosition *positions, int64_t *epoch,
                     Error *error)
{
    PGresult *result = NULL;
    if (database_query(
            target, &result, error,
            "WITH taken AS (UPDATE penstock.lane SET epoch = epoch + 1, moves = 0 WHERE migration = $1 "
            "RETURNING " POSITION ") SELECT * FROM taken ORDER BY lane",
            1, migration->name) != 0) {
        return error_context(error, "taking over the lanes of migration \"%s\"", migration->name);
    }
    int status = fill_positions(migration, result, positions, epoch, error);
    PQclear(result);
    return status;
}

int state_check_lanes(Database *target, const Migration *migration, const LanePosition *positions,
                      int64_t epoch, Error *error)
{
    LanePosition now[MAX_LANES];
    int64_t theirs = 0;
    PGresult *result = NULL;
    if (database_query(target, &result, error,
                       "SELECT " POSITION " FROM penstock.lane WHERE migration = $1 "
                       "ORDER BY lane",
                       1, migration->name) != 0) {
        return error_context(error, "reading the lanes of migration \"%s\"", migration->name);
    }
    int status = fill_positions(migration, result, now, &theirs, error);
    PQclear(result);
    if (status != 0) {
        return -1;
    }
    bool same = theirs == epoch;
    for (int i = 0; i < migration->lanes && same; i++) {
        same = now[i].commit_lsn == positions[i].commit_lsn && now[i].sequence == positions[i].sequence;
    }
    return same ? 0 : state_lanes_lost(error);
}

int state_lanes_lost(Error *error)
{
    error_set(
        error, ERROR_STATE,
        "the lanes of this migration are not this applier's any more: another one has taken them over, or "
        "they were changed by hand");
    return error_hint(error,
                      "Nothing that the other one has was applied here. penstock status says who applies "
                      "now; if penstock finish or a new penstock copy has run meanwhile, this applier "
                      "has nothing left to do.");
}

/*
 * The rows are looked up one by one, in a subquery that the planner cannot turn round (OFFSET 0), and updated by where they
 * are. epoch is asked for again in the update itself, because that is what is looked at after waiting for one who takes over;
 * with + 0, so that no index is searched for it.
 */
const char *state_lane_update_sql(void)
{
    return "UPDATE penstock.lane AS l SET moves = l.moves OPERATOR(pg_catalog.+) 1, commit_lsn = "
           "$3::pg_catalog.pg_lsn, "
           "sequence = $4::pg_catalog.int8, "
           "commit_time = '2000-01-01 00:00:00+00'::pg_catalog.timestamptz OPERATOR(pg_catalog.+) "
           "($6::pg_catalog.int8::pg_catalog.float8 OPERATOR(pg_catalog.*) interval '1 microsecond') "
           "WHERE (l.epoch OPERATOR(pg_catalog.+) 0) OPERATOR(pg_catalog.=) $5::pg_catalog.int8 AND l.ctid "
           "OPERATOR(pg_catalog.=) ANY "
           "(ARRAY("
           "SELECT r.ctid FROM unnest($2::pg_catalog.int4[], $7::pg_catalog.int8[]) AS n (lane, moves), "
           "LATERAL ("
           "SELECT k.ctid FROM penstock.lane AS k WHERE k.migration OPERATOR(pg_catalog.=) "
           "$1::pg_catalog.text "
           "AND k.epoch OPERATOR(pg_catalog.=) $5 AND k.lane OPERATOR(pg_catalog.=) n.lane "
           "AND k.moves OPERATOR(pg_catalog.=) n.moves OFFSET 0) AS r))";
}
