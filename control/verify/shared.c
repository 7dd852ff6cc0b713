/*
 * Pairs for processes that compare along (verify --join): who leads the pass writes the names of its snapshots down, and whoever
 * comes takes them over, from any host. A pair is of use until its cycle is over, or the one who leads has gone; then another is
 * asked for, and it is waited for.
 */
#include "pairs_parts.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "lock.h"
#include "number.h"

#define PAUSE_MS 100
#define SAID_SECONDS 2
#define LEADER_SECONDS 60 /* one who was interrupted is started again, and goes on with the same pass */

int shared_publish(const Pairs *pairs, Error *error)
{
    return database_execute(pairs->state, error,
                            "UPDATE penstock.verify_pass SET pair = pair + 1, source_snapshot = $2,"
                            " target_snapshot = $3 WHERE id = $1::int8",
                            3, pairs->options.pass, pairs->exported[0], pairs->exported[1]);
}

int shared_is_wanted(const Pairs *pairs, bool *wanted, Error *error)
{
    return database_found(pairs->state, wanted, error,
                          "SELECT 1 FROM penstock.verify_pass WHERE id = $1::int8 AND pair_wanted > pair", 1,
                          pairs->options.pass);
}

int shared_want(const Pairs *pairs, int number, Error *error)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return database_execute(pairs->state, error,
                            "UPDATE penstock.verify_pass SET pair_wanted = greatest(pair_wanted, $2::int + 1)"
                            " WHERE id = $1::int8 AND pair = $2::int",
                            2, pairs->options.pass, text);
}

/* *number is 0 before the first. */
static int read_pair(Pairs *pairs, int *number, Error *error)
{
    PGresult *row = NULL;
    if (database_query(pairs->state, &row, error,
                       "SELECT pair, source_snapshot, target_snapshot FROM penstock.verify_pass"
                       " WHERE id = $1::int8 AND state = 'running'",
                       1, pairs->options.pass) != 0) {
        return -1;
    }
    if (PQntuples(row) == 0) {
        PQclear(row);
        return error_set(error, ERROR_STATE,
                         "the comparison that was joined has ended, or another has begun");
    }
    *number = number_int(PQgetvalue(row, 0, 0));
    for (int i = 0; i < 2; i++) {
        snprintf(pairs->exported[i], sizeof pairs->exported[i], "%s", PQgetvalue(row, 0, 1 + i));
    }
    PQclear(row);
    return 0;
}

/* *adopted is false when nobody has the pair any more. */
static int try_adopt(Pairs *pairs, Database *source, Database *target, bool *adopted, Error *error)
{
    *adopted = exported_adopt(source, pairs->exported[0], error) == 0 &&
               exported_adopt(target, pairs->exported[1], error) == 0;
    if (*adopted || !exported_is_gone(error)) {
        return *adopted ? 0 : -1;
    }
    return database_execute(source, error, "ROLLBACK", 0) == 0
               ? database_execute(target, error, "ROLLBACK", 0)
               : -1;
}

/* Once, when it takes longer than a pair takes to make. Whether anybody leads is said by the lock that who does has. */
static int say_waiting(Pairs *pairs, double begun, bool *said, Error *error)
{
    bool leads = false;
    const Settings *settings = pairs->options.settings;
    if (*said || clock_seconds() - begun < SAID_SECONDS) {
        return 0;
    }
    *said = true;
    if (state_is_locked(pairs->state, settings->migration, "verify", &leads, error) != 0) {
        return -1;
    }
    log_line(&settings->log, leads ? LOG_INFO : LOG_WARNING,
             leads
                 ? "waiting for who leads the comparison to make the next pair of snapshots, %d s at most"
                 : "nobody leads the comparison any more: waiting for penstock verify without --join, which "
                   "goes on with it, %d s at most",
             LEADER_SECONDS);
    return 0;
}

int shared_adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error)
{
    bool said = false;
    for (double begun = clock_seconds(); clock_seconds() - begun < LEADER_SECONDS;) {
        bool adopted = false;
        if (pairs->options.stop != NULL && pairs->options.stop()) {
            return error_set(error, ERROR_INTERRUPTED,
                             "interrupted while a pair of snapshots was waited for");
        }
        if (read_pair(pairs, number, error) != 0 ||
            (*number > 0 && try_adopt(pairs, source, target, &adopted, error) != 0)) {
            return -1;
        }
        if (adopted) {
            return 0;
        }
        /* The first, too: who leads makes none by itself where those who compare along have all the pieces. */
        if (shared_want(pairs, *number, error) != 0) {
            return -1;
        }
        if (say_waiting(pairs, begun, &said, error) != 0) {
            return -1;
        }
        clock_pause_ms(PAUSE_MS);
    }
    error_set(error, ERROR_STATE, "who leads the comparison has made no pair of snapshots for %d s",
              LEADER_SECONDS);
    return error_hint(error, "penstock verify without --join leads; then join it again");
}
