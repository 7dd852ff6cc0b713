/*
 * The journal is read by the machine's own moves. Detail is that of the begin that left a step untouched: that is where
 * undo finds the settings as they were. A line after the last step's done belongs to another round, which begins with
 * nothing.
 */
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Reading {
    const Road *road;
    StepRecord *records;
    char wrong[100]; /* the first line that cannot follow on the ones before, or "" */
} Reading;

static int step_number(const Road *road, const char *name)
{
    for (int i = 0; i < road->count; i++) {
        if (strcmp(road->steps[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static bool take_event(StepRecord *record, const char *event, const char *detail)
{
    for (StepEvent known = STEP_BEGIN; known < STEP_EVENTS; known++) {
        if (strcmp(step_event_name(known), event) != 0) {
            continue;
        }
        if (known == STEP_BEGIN && record->state == STEP_UNTOUCHED) {
            json_decref(record->detail);
            record->detail = json_loads(detail, 0, NULL);
        }
        return step_move(&record->state, known);
    }
    return false;
}

bool records_ended(const Road *road, const StepRecord *records)
{
    return records[road->count - 1].state == STEP_COMPLETE;
}

static void take_line(void *context, const char *step, const char *event, const char *detail)
{
    Reading *reading = context;
    int number = step_number(reading->road, step);
    if (number < 0) {
        return;
    }
    if (records_ended(reading->road, reading->records)) {
        step_records_free(reading->records, MAX_STEPS);
    }
    if (!take_event(&reading->records[number], event, detail) && reading->wrong[0] == '\0') {
        snprintf(reading->wrong, sizeof reading->wrong, "%.40s %.40s", step, event);
    }
}

int records_load(Cutover *cutover, const Road *road, StepRecord records[MAX_STEPS], Error *error)
{
    memset(records, 0, MAX_STEPS * sizeof *records);
    Reading reading = {.road = road, .records = records};
    if (state_read_journal(cutover->target, cutover->migration.name, road->operation, take_line, &reading,
                           error) != 0) {
        return -1;
    }
    return reading.wrong[0] == '\0'
               ? 0
               : error_set(error, ERROR_STATE, "the journal of the %s makes no sense at \"%s\"",
                           road->operation, reading.wrong);
}

int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
    int status = state_journal(cutover->target, cutover->migration.name, cutover->road->operation, step->name,
                               step_event_name(event), text, error);
    free(text);
    return status;
}
