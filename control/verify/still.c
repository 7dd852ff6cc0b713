/*
 * On the target: transactions' ids are given out to who writes. When txid_current_snapshot() says the same before and after both
 * snapshots were taken, nobody who writes began or ended meanwhile, so both are of one state of it. Before, the way back had
 * confirmed all WAL up to there: the source has it, and nobody else writes to the source, which is closed.
 */
#include "still.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define LIMIT_SECONDS 60
#define PAUSE_MS 20

#define SEEN_SQL "SELECT pg_catalog.txid_current_snapshot()"

/* Whether the way back, if there is one, has brought all that is written. */
static int came_back(Database *target, bool *back, Error *error)
{
    return database_found(target, back, error,
                          "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots"
                          "  WHERE slot_name LIKE 'penstock%reverse%' AND database = "
                          "pg_catalog.current_database() AND active"
                          "    AND confirmed_flush_lsn < pg_catalog.pg_current_wal_lsn())",
                          0);
}

/* One try; *still is false when somebody wrote meanwhile. */
static int try_take(Database *holders[2], Database *watch, char exported[2][EXPORTED_SIZE], bool *still,
                    Error *error)
{
    char *before = NULL, *after = NULL;
    int status = database_value(watch, &before, error, SEEN_SQL, 0);
    if (status == 0) {
        status = came_back(watch, still, error);
    }
    if (status == 0 && *still) {
        status = exported_take(holders[1], NULL, exported[1], error) == 0
                     ? exported_take(holders[0], NULL, exported[0], error)
                     : -1;
    }
    if (status == 0 && *still) {
        status = database_value(watch, &after, error, SEEN_SQL, 0);
        *still = status == 0 && strcmp(before, after) == 0;
    }
    free(before);
    free(after);
    return status;
}

static int take(Database *holders[2], Database *watch, char exported[2][EXPORTED_SIZE], bool (*stop)(void),
                Error *error)
{
    for (double begun = clock_seconds(); clock_seconds() - begun < LIMIT_SECONDS;) {
        bool still = false;
        if (try_take(holders, watch, exported, &still, error) != 0) {
            return -1;
        }
        if (still) {
            return 0;
        }
        if (stop != NULL && stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while a moment of rest was waited for");
        }
        clock_pause_ms(PAUSE_MS);
    }
    error_set(error, ERROR_STATE,
              "the target's server is written to all the time, in this database or another, or the way back "
              "is behind: "
              "in %d s there was no moment at which both sides could hold the same",
              LIMIT_SECONDS);
    return error_hint(error, "compare while less is written; cutover --verify compares at the switch itself");
}

int still_take(Database *holders[2], Database *watch, char exported[2][EXPORTED_SIZE], bool (*stop)(void),
               char point[24], Error *error)
{
    char *end = NULL;
    if (take(holders, watch, exported, stop, error) != 0 ||
        database_value(holders[0], &end, error, "SELECT pg_catalog.pg_current_wal_insert_lsn()", 0) != 0) {
        return -1;
    }
    snprintf(point, 24, "%s", end != NULL ? end : "");
    free(end);
    return 0;
}
