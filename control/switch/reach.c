/*
 * Connections that last: before each step, and again before each try to undo one, whoever is needed is there, and knows how
 * long he may take.
 *
 * What a call may take depends on whether clients wait. The program's own limit ends a call whatever the server does; the
 * server's own (statement_timeout, lock_timeout) ends it when the program is gone.
 *
 *     before   nobody waits: ten minutes, or Ctrl-C
 *     hold     what is left of the hold, or Ctrl-C
 *     after    a minute, or Ctrl-C
 *     undo     5 s for each try, and no Ctrl-C: that is why it undoes
 *
 * A connection that was lost is made again. That is for the way back, and behind the release: in the hold, a step whose
 * connection breaks has failed.
 */
#include <stdio.h>

#include "clock.h"
#include "cutover.h"
#include "query.h"
#include "watchdog.h"

#define BEFORE_LIMIT_MS 600000
#define AFTER_LIMIT_MS 60000
#define UNDO_LIMIT_MS 5000
#define SOURCE_BACK_MS 10000

static Regime regime_of(const Cutover *cutover, bool undoes)
{
    return undoes                ? REGIME_UNDO
           : cutover->released   ? REGIME_AFTER
           : cutover->is_holding ? REGIME_HOLD
                                 : REGIME_BEFORE;
}

static int64_t hold_end(const Cutover *cutover)
{
    return cutover->hold_started + (int64_t)(cutover->options->hold_limit * 1000);
}

static QueryLimits limits_of(const Cutover *cutover, Regime regime)
{
    QueryLimits limits = {.stop = interrupted};
    switch (regime) {
    case REGIME_BEFORE:
        limits.deadline = query_within(BEFORE_LIMIT_MS).deadline;
        break;
    case REGIME_HOLD:
        limits.deadline = hold_end(cutover);
        break;
    case REGIME_AFTER:
        limits.deadline = query_within(AFTER_LIMIT_MS).deadline;
        break;
    default:
        limits = query_within(UNDO_LIMIT_MS);
    }
    return limits;
}

static int statement_ms(const Cutover *cutover, Regime regime)
{
    switch (regime) {
    case REGIME_BEFORE:
        return BEFORE_LIMIT_MS;
    case REGIME_HOLD:
        return (int)(cutover->options->hold_limit * 1000);
    case REGIME_AFTER:
        return AFTER_LIMIT_MS;
    default:
        return UNDO_LIMIT_MS;
    }
}

/* The server's limits, for when this program is gone. */
static int set_server_limits(Cutover *cutover, Database *database, Regime regime, Error *error)
{
    char sql[128];
    int ms = statement_ms(cutover, regime);
    snprintf(sql, sizeof sql, "SET statement_timeout = %d; SET lock_timeout = %d", ms, ms / 2);
    return database_execute(database, error, sql, 0);
}

QueryLimits cutover_limits(const Cutover *cutover)
{
    return limits_of(cutover, cutover->regime);
}

static bool is_good(Database *database)
{
    return database != NULL && PQstatus(database_connection(database)) == CONNECTION_OK;
}

int cutover_reach_end(Cutover *cutover, DatabaseEnd end, bool fresh, Error *error)
{
    Regime regime = cutover->regime;
    Database **database = end == DATABASE_SOURCE ? &cutover->source : &cutover->target;
    Regime *told = end == DATABASE_SOURCE ? &cutover->source_regime : &cutover->target_regime;
    if (fresh || !is_good(*database)) {
        database_close(*database);
        *database = NULL;
        cutover_assign_sides(cutover);
        if (cutover_connect(cutover, end, limits_of(cutover, regime), error) != 0) {
            return -1;
        }
        *told = REGIMES;
    }
    database_limit(*database, limits_of(cutover, regime));
    if (*told != regime && set_server_limits(cutover, *database, regime, error) != 0) {
        return -1;
    }
    *told = regime;
    return 0;
}

/*
 * Proxies, too: one that stands still must keep nobody for longer than a server that does. But the release ends the hold, however
 * late it is; and undoing has files to read in between, on other hosts maybe: there it is each answer that is limited.
 */
static void limit_proxies(const Cutover *cutover, bool releases)
{
    AnswerLimit limit = {.answer_ms = cutover->regime == REGIME_UNDO ? UNDO_LIMIT_MS : 0};
    if (cutover->regime == REGIME_HOLD && !releases) {
        limit.deadline = hold_end(cutover);
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        const CutoverProxy *proxy = &cutover->proxies[i];
        if (proxy->operations->limit != NULL) {
            proxy->operations->limit(proxy->proxy, limit);
        }
    }
}

int cutover_reach(void *context, const Step *step, bool undoes, bool fresh, Error *error)
{
    Cutover *cutover = context;
    unsigned needs = undoes ? step->undo_needs : step->needs;
    cutover->regime = regime_of(cutover, undoes);
    limit_proxies(cutover, step->commits);
    if (undoes) {
        watchdog_undoes(cutover->watchdog);
    }
    if ((needs & NEEDS_SOURCE) != 0 && cutover_reach_end(cutover, DATABASE_SOURCE, fresh, error) != 0) {
        return -1;
    }
    return (needs & NEEDS_TARGET) != 0 ? cutover_reach_end(cutover, DATABASE_TARGET, fresh, error) : 0;
}

const char *cutover_round(const Cutover *cutover)
{
    const char *round = json_string_value(json_object_get(cutover->records[0].detail, "round"));
    return round != NULL ? round : "";
}

int cutover_begin_hold(Cutover *cutover, Error *error)
{
    cutover->hold_started = clock_ms();
    cutover->is_holding = true;
    cutover->regime = REGIME_HOLD;
    limit_proxies(cutover, false);
    watchdog_holds(cutover->watchdog, cutover_round(cutover), hold_end(cutover));
    return cutover_reach_end(cutover, DATABASE_SOURCE, false, error) == 0
               ? cutover_reach_end(cutover, DATABASE_TARGET, false, error)
               : -1;
}

int cutover_hold_left(const Cutover *cutover, int *left_ms, Error *error)
{
    *left_ms = (int)(hold_end(cutover) - clock_ms());
    if (*left_ms > 0) {
        return 0;
    }
    return error_set(error, ERROR_LIMIT, "clients have been held for %g s, the hold limit",
                     cutover->options->hold_limit);
}

static bool source_answers(Cutover *cutover, Error *error)
{
    return cutover_reach_end(cutover, DATABASE_SOURCE, false, error) == 0 &&
           database_execute(cutover->source, error, "SELECT 1", 0) == 0;
}

/* While clients wait, they do not wait for that; once they have gone on, a server that is being restarted has the time to. */
bool cutover_source_answers(Cutover *cutover)
{
    Error error;
    if (cutover->source_missed && (!cutover->released || cutover->source_gone)) {
        return false;
    }
    for (int64_t end = clock_ms() + (cutover->released ? SOURCE_BACK_MS : 0);; clock_pause_ms(200)) {
        if (source_answers(cutover, &error)) {
            cutover->source_missed = false;
            return true;
        }
        if (clock_ms() >= end || interrupted()) {
            break;
        }
    }
    cutover->source_missed = true;
    cutover->source_gone = cutover->released;
    cutover_warn(cutover, "%s", error.message);
    return false;
}
