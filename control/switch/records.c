/*
 * The journal is read by the machine's own moves. Detail is that of the begin that left a step untouched: that is where
 * undo finds the settings as they were. A line after the last step's done belongs to another round, which begins with
 * nothing.
 */
#include "records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"
#include "ledger.h"
#include "query.h"

/* While clients wait for an undo, its journal waits no longer for a server that may be dead. */
#define BACK_LIMIT_MS 1000

typedef struct Reading {
    const Road *road;
    StepRecord *records;
    size_t lines;    /* of the round */
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

const StepRecord *records_of(const Road *road, const StepRecord *records, const char *step)
{
    int number = step_number(road, step);
    return number >= 0 ? &records[number] : NULL;
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
        if (known == STEP_DONE && record->detail != NULL) {
            json_t *more = json_loads(detail, 0, NULL); /* what perform added */
            json_object_update(record->detail, more);
            json_decref(more);
        }
        record->failed = known == STEP_FAILED || (known == STEP_BEGIN && record->failed);
        return step_move(&record->state, known);
    }
    return false;
}

bool records_ended(const Road *road, const StepRecord *records)
{
    return records[road->count - 1].state == STEP_COMPLETE;
}

/* Between two rounds: the last was gone to its end, or undone whole. */
static bool is_over(const Reading *reading)
{
    return records_ended(reading->road, reading->records) ||
           !machine_has_begun(reading->records, (size_t)reading->road->count);
}

static void take_line(void *context, const char *step, const char *event, const char *detail)
{
    Reading *reading = context;
    int number = step_number(reading->road, step);
    if (number < 0) {
        return;
    }
    if (is_over(reading)) {
        step_records_free(reading->records, MAX_STEPS);
        reading->lines = 0;
    }
    reading->lines++;
    if (!take_event(&reading->records[number], event, detail) && reading->wrong[0] == '\0') {
        snprintf(reading->wrong, sizeof reading->wrong, "%.40s %.40s", step, event);
    }
}

static int check(const Reading *reading, Error *error)
{
    return reading->wrong[0] == '\0'
               ? 0
               : error_set(error, ERROR_STATE, "the journal of the %s makes no sense at \"%s\"",
                           reading->road->operation, reading->wrong);
}

static int read_target(Cutover *cutover, Reading *reading, Error *error)
{
    memset(reading->records, 0, MAX_STEPS * sizeof *reading->records);
    return state_read_journal(cutover->target, cutover->migration.name, reading->road->operation, take_line,
                              reading, error) == 0
               ? check(reading, error)
               : -1;
}

int records_load(Cutover *cutover, const Road *road, StepRecord records[MAX_STEPS], Error *error)
{
    Reading reading = {.road = road, .records = records};
    return read_target(cutover, &reading, error);
}

/* --- two places --- */

static const char *round_of(const json_t *detail)
{
    const char *round = json_string_value(json_object_get(detail, "round"));
    return round != NULL ? round : "";
}

/* Is it of this road, and the round that the target's records are of? Without a target, the road will do. */
static bool ledger_fits(const Cutover *cutover, const StepRecord *there)
{
    const json_t *head = cutover->ledger != NULL ? ledger_head(cutover->ledger) : NULL;
    const char *operation = json_string_value(json_object_get(head, "operation"));
    return operation != NULL && strcmp(operation, cutover->road->operation) == 0 &&
           (there == NULL || strcmp(round_of(head), round_of(there[0].detail)) == 0);
}

typedef struct Missing {
    Cutover *cutover;
    Error *error;
} Missing;

static void write_missing(void *context, const char *step, const char *event, const char *detail)
{
    const Missing *missing = context;
    Cutover *cutover = missing->cutover;
    if (!cutover->behind && state_journal(cutover->target, cutover->migration.name, cutover->road->operation,
                                          step, event, detail, missing->error) != 0) {
        cutover->behind = true;
    }
}

/* The target's journal gets what only the ledger has; cutover->behind with *error, where it does not take it. */
static void bring_up(Cutover *cutover, size_t lines, Error *error)
{
    Missing missing = {cutover, error};
    cutover->behind = false;
    ledger_read(cutover->ledger, lines, write_missing, &missing);
}

/* What others see of it then, who do not have the ledger. */
static int say_missing(const Cutover *cutover, Error *error)
{
    return error_context(
        error,
        "the journal in the target lacks what was done. Until penstock %s --undo, given here, "
        "could write it there, penstock status shows the state before that",
        cutover->road->operation);
}

/* The round is over. When the ledger still has it, whoever was at work did not live to say so. */
static void take_over(Cutover *cutover, bool unsaid)
{
    if (unsaid) {
        cutover->was_over = records_ended(cutover->road, cutover->records) ? ROUND_ENDED : ROUND_UNDONE;
    }
    step_records_free(cutover->records, MAX_STEPS);
}

int records_load_round(Cutover *cutover, Error *error)
{
    Reading there = {.road = cutover->road, .records = cutover->records};
    if (cutover->target != NULL) {
        if (read_target(cutover, &there, error) != 0) {
            return -1;
        }
        if (is_over(&there)) {
            take_over(cutover, ledger_fits(cutover, cutover->records));
            return 0;
        }
        if (!ledger_fits(cutover, cutover->records) || ledger_lines(cutover->ledger) <= there.lines) {
            return 0;
        }
        Error unwritten;
        bring_up(cutover, there.lines, &unwritten);
    } else if (!ledger_fits(cutover, NULL)) {
        return error_set(error, ERROR_STATE, "no %s is under way", cutover->road->operation);
    }
    step_records_free(cutover->records, MAX_STEPS);
    Reading here = {.road = cutover->road, .records = cutover->records};
    ledger_read(cutover->ledger, 0, take_line, &here);
    if (is_over(&here)) {
        take_over(cutover, true);
    }
    return check(&here, error);
}

int records_close_round(Cutover *cutover, bool over, Error *error)
{
    StepRecord records[MAX_STEPS];
    if (cutover->ledger == NULL || ledger_head(cutover->ledger) == NULL) {
        return 0;
    }
    if (cutover->behind) {
        Reading there = {.road = cutover->road, .records = records};
        cutover->regime = REGIME_UNDO;
        if (cutover_reach_end(cutover, DATABASE_TARGET, false, error) != 0 ||
            read_target(cutover, &there, error) != 0) {
            return say_missing(cutover, error);
        }
        bring_up(cutover, there.lines, error);
        step_records_free(records, MAX_STEPS);
        if (cutover->behind) {
            return say_missing(cutover, error);
        }
    }
    return over && !cutover->behind ? ledger_remove(cutover->ledger, error) : 0;
}

/* The head of a new round, when this is its first line. */
static int begin_round(Cutover *cutover, const json_t *detail, Error *error)
{
    const json_t *head = ledger_head(cutover->ledger);
    if (detail == NULL || (head != NULL && strcmp(round_of(head), round_of(detail)) == 0)) {
        return 0;
    }
    json_t *migration = kept_migration(&cutover->migration);
    json_t *new_head = json_pack("{s:s, s:s, s:o}", "operation", cutover->road->operation, "round",
                                 round_of(detail), "migration", migration);
    int status = ledger_begin(cutover->ledger, new_head, error);
    json_decref(new_head);
    return status;
}

static int write_here(Cutover *cutover, const Step *step, StepEvent event, const json_t *detail, Error *error)
{
    if (cutover->ledger == NULL) {
        return error_set(error, ERROR_SYSTEM, "there is no second copy of the journal");
    }
    if (step == &cutover->road->steps[0] && event == STEP_BEGIN && begin_round(cutover, detail, error) != 0) {
        return -1;
    }
    return ledger_add(cutover->ledger, step->name, step_event_name(event), detail, error);
}

/* With detail, which is JSON, as text. */
static int write_there(Cutover *cutover, const Step *step, StepEvent event, const json_t *detail,
                       Error *error)
{
    Database *target = cutover->target;
    if (target == NULL || PQstatus(database_connection(target)) != CONNECTION_OK) {
        return error_set(error, ERROR_CONNECTION, "there is no connection to the target");
    }
    char *text = detail != NULL ? json_dumps(detail, JSON_COMPACT) : NULL;
    bool back = event != STEP_BEGIN && event != STEP_DONE;
    database_limit(target, back ? query_within(BACK_LIMIT_MS) : cutover_limits(cutover));
    int status = state_journal(target, cutover->migration.name, cutover->road->operation, step->name,
                               step_event_name(event), text, error);
    database_limit(target, cutover_limits(cutover));
    free(text);
    return status;
}

int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Error here = {.code = ERROR_NONE};
    bool kept = write_here(cutover, step, event, detail, &here) == 0;
    int status = cutover->behind ? error_set(error, ERROR_CONNECTION, "the target lacks earlier lines")
                                 : write_there(cutover, step, event, detail, error);
    if (status == 0) {
        return 0;
    }
    cutover->behind = cutover->behind || kept;
    bool forward = event == STEP_BEGIN || event == STEP_DONE;
    return kept && !forward ? 0 : -1;
}
