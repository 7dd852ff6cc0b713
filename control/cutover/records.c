/*
 * The journal is read as: of each step the last event, and the detail of the begin that opened the run under
 * way, that is, of the first begin after the last undone. That is where undo finds the settings as they were.
 */
#include "records.h"

#include <stdlib.h>
#include <string.h>

typedef struct Reading {
    const Road *road;
    StepRecord *records;
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

static void take_line(void *context, const char *step, const char *event, const char *detail)
{
    const Reading *reading = context;
    int number = step_number(reading->road, step);
    if (number >= 0) {
        take_event(&reading->records[number], event, detail);
    }
}

int records_load(Cutover *cutover, const Road *road, StepRecord records[MAX_STEPS], Error *error)
{
    for (int i = 0; i < MAX_STEPS; i++) {
        records[i] = (StepRecord){.event = STEP_UNDONE};
    }
    Reading reading = {.road = road, .records = records};
    return state_read_journal(cutover->target, cutover->migration.name, road->operation, take_line, &reading,
                              error);
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
