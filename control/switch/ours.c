/*
 * A command that stood still for long (a host that was suspended, a network that was cut) may have lost its session, and the lock
 * with it, and somebody may have carried on elsewhere: brought the switch to its end, or undone it. When it wakes, its next
 * step fails; what it would undo then is no longer its own: it would open a source that clients have left, and take the way back
 * away. So each run writes down who it is (penstock.migration.switch_run) when it has the lock, and looks whether that still
 * stands there before it goes back, and whenever it connects again.
 *
 * A target that cannot be asked is no reason to keep clients waiting: without it nobody else has come far either.
 */
#include "ours.h"

#include <stdio.h>
#include <string.h>

#include "query.h"
#include "random.h"

#define ASK_MS 1000
#define FINISHED "42P01" /* undefined_table: penstock finish has taken the state away */

int ours_take(Cutover *cutover, Error *error)
{
    if ((cutover->run[0] == '\0' && random_name(cutover->run, error) != 0) ||
        state_take_switch(cutover->target, cutover->migration.name, cutover->run, error) != 0) {
        return -1;
    }
    cutover->taken = true;
    return 0;
}

int ours_check(Cutover *cutover, Error *error)
{
    bool ours = true;
    if (!cutover->taken) {
        return 0;
    }
    if (state_has_switch(cutover->target, cutover->migration.name, cutover->run, &ours, error) != 0) {
        ours = strcmp(error->sqlstate, FINISHED) != 0;
        if (ours) {
            return -1;
        }
    }
    cutover->lost = cutover->lost || !ours;
    if (ours) {
        return 0;
    }
    error_set(
        error, ERROR_STATE,
        "another command has taken up this %s since, and this one had stood still: it does nothing more",
        cutover->road->operation);
    return error_hint(error, "penstock status says what became of it.");
}

bool ours_still(void *context, Error *error)
{
    Cutover *cutover = context;
    Error failure = {.code = ERROR_NONE};
    if (!cutover->taken) {
        return true;
    }
    QueryLimits soon = query_within(ASK_MS);
    if (cutover->target != NULL && PQstatus(database_connection(cutover->target)) == CONNECTION_OK) {
        database_limit(cutover->target, soon);
        int status = ours_check(cutover, &failure);
        database_limit(cutover->target, cutover_limits(cutover));
        if (status == 0) {
            return true;
        }
    }
    if (!cutover->lost) {
        database_close(cutover->target);
        cutover->target = NULL;
        cutover_assign_sides(cutover);
        failure = (Error){.code = ERROR_NONE};
        cutover->regime = REGIME_UNDO;
        cutover->target_regime = REGIMES;
        if (cutover_connect(cutover, DATABASE_TARGET, soon, &failure) != 0) {
            database_close(cutover->target);
            cutover->target = NULL;
            cutover_assign_sides(cutover);
        }
    }
    if (cutover->lost) {
        *error = failure;
    }
    return !cutover->lost;
}
