/*
 * That nobody has passed the fence. Who may: a superuser that insists, an apply worker, COMMIT PREPARED. The applier sees every
 * commit, so it is the witness. A lane of its is moved with changes only. So where the lanes stand when all is caught up is kept;
 * another message goes into the WAL, and when the applier is past that, they must stand there still.
 *
 * A change that passed the fence while the applier caught up is not noticed, and need not be: it is on the target as well.
 */
#include <stdlib.h>

#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "steps.h"

#define LOOK_AGAIN_MS 10

/* Where the WAL of the source ends now, as a message in it. */
static int mark(Cutover *cutover, Lsn *out, Error *error)
{
    char *lsn = NULL;
    int status =
        database_value(cutover->source, &lsn, error,
                       "SELECT pg_logical_emit_message(true, 'penstock', concat('prove ', $1::text))", 1,
                       cutover->migration.name);
    if (status == 0 && (lsn == NULL || !lsn_parse(lsn, out))) {
        status = error_set(error, ERROR_STATE, "the source gave no position for a message");
    }
    free(lsn);
    return status;
}

static int find_last_change(Cutover *cutover, Lsn *out, Error *error)
{
    char *lsn = NULL;
    int status = database_value(cutover->target, &lsn, error,
                                "SELECT max(commit_lsn) FROM penstock.lane WHERE migration = $1", 1,
                                cutover->migration.name);
    if (status == 0 && (lsn == NULL || !lsn_parse(lsn, out))) {
        status = error_set(error, ERROR_STATE, "the lanes have no position");
    }
    free(lsn);
    return status;
}

int prove_prepare(Cutover *cutover, json_t *detail, Error *error)
{
    char text[LSN_TEXT_SIZE];
    if (find_last_change(cutover, &cutover->last_change, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, "last_change", json_string(lsn_format(cutover->last_change, text)));
    return 0;
}

/* Of a run that carries on behind the catch-up: from the journal. */
static void take_last_change(Cutover *cutover)
{
    for (int i = 0; cutover->last_change == LSN_INVALID && i < cutover->road->count; i++) {
        const json_t *kept = json_object_get(cutover->records[i].detail, "last_change");
        if (json_is_string(kept) && !lsn_parse(json_string_value(kept), &cutover->last_change)) {
            cutover->last_change = LSN_INVALID;
        }
    }
}

static int refuse(Lsn behind, Error *error)
{
    char here[LSN_TEXT_SIZE];
    error_set(error, ERROR_STATE,
              "somebody wrote to the source behind its fence: a transaction that committed at %s",
              lsn_format(behind, here));
    return error_hint(
        error,
        "Superusers, apply workers and background workers pass a fence: stop who it was, and try again.");
}

int prove_nothing_behind(Cutover *cutover, Error *error)
{
    Lsn mark_lsn, last;
    take_last_change(cutover);
    if (mark(cutover, &mark_lsn, error) != 0) {
        return -1;
    }
    for (int64_t began = clock_ms();; clock_pause_ms(LOOK_AGAIN_MS)) {
        ApplierStatus applier;
        if (state_read_applier(cutover->target, cutover->migration.name, &applier, error) != 0 ||
            cutover_check_applier(cutover, &applier, began, error) != 0 ||
            find_last_change(cutover, &last, error) != 0) {
            return -1;
        }
        if (last > cutover->last_change) {
            return refuse(last, error);
        }
        if (applier.low_water_lsn >= mark_lsn) {
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (clock_ms() >= cutover_limits(cutover).deadline) {
            return error_set(error, ERROR_LIMIT,
                             "the applier has not come past the fence of the source in time");
        }
    }
}

int step_prove(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    if (!cutover_source_answers(cutover)) {
        cutover_note(cutover, "the source does not answer: nobody writes there");
        return 0;
    }
    return prove_nothing_behind(cutover, error);
}
