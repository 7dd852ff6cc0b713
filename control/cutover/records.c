/*
 * The journal is read as: of each step the last event, and the detail of the begin that opened the run under
 * way, that is, of the first begin after the last undone. That is where undo finds the settings as they were.
 */
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPERATION "cutover"

int records_applier(Cutover *cutover, ApplierStatus *out, Error *error)
{
    PGresult *result;
    *out = (ApplierStatus){0};
    if (database_query(cutover->target, &result, error,
                       "SELECT state, extract(epoch FROM clock_timestamp() - updated_at), low_water_lsn,"
                       "       error ->> 'message'"
                       "  FROM penstock.applier WHERE migration = $1",
                       1, cutover->migration.name) != 0) {
        return -1;
    }
    if (PQntuples(result) > 0) {
        out->exists = true;
        snprintf(out->state, sizeof out->state, "%s", PQgetvalue(result, 0, 0));
        out->age = atof(PQgetvalue(result, 0, 1));
        if (!lsn_parse(PQgetvalue(result, 0, 2), &out->low_water_lsn)) {
            out->low_water_lsn = LSN_INVALID;
        }
        snprintf(out->message, sizeof out->message, "%s", PQgetvalue(result, 0, 3));
    }
    PQclear(result);
    return 0;
}

static int step_number(const char *name)
{
    for (int i = 0; i < CUTOVER_STEPS; i++) {
        if (strcmp(cutover_steps[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void take_event(StepRecord *record, const char *event, const char *detail)
{
    for (StepEvent known = STEP_BEGIN; known <= STEP_UNDONE; known++) {
        if (strcmp(step_event_name(known), event) != 0) {
            continue;
        }
        if (known == STEP_BEGIN && record->event == STEP_UNDONE) {
            json_decref(record->detail);
            record->detail = json_loads(detail, 0, NULL);
        }
        record->event = known;
    }
}

int records_load(Cutover *cutover, StepRecord records[CUTOVER_STEPS], Error *error)
{
    PGresult *result;
    for (int i = 0; i < CUTOVER_STEPS; i++) {
        records[i] = (StepRecord){.event = STEP_UNDONE};
    }
    /* clang-format off */
    if (database_query(cutover->target, &result, error,
                       "SELECT j.step, j.event, j.detail FROM penstock.journal j"
                       " WHERE j.migration = $1 AND j.operation = $2"
                       "   AND j.at >= (SELECT m.created_at FROM penstock.migration m WHERE m.name = $1)"
                       " ORDER BY j.id",
                       2, cutover->migration.name, OPERATION) != 0) {
        return -1;
    }
    /* clang-format on */
    for (int row = 0; row < PQntuples(result); row++) {
        int number = step_number(PQgetvalue(result, row, 0));
        if (number >= 0) {
            take_event(&records[number], PQgetvalue(result, row, 1), PQgetvalue(result, row, 2));
        }
    }
    PQclear(result);
    return 0;
}

int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
    int status = state_journal(cutover->target, cutover->migration.name, OPERATION, step->name,
                               step_event_name(event), text, error);
    free(text);
    return status;
}
