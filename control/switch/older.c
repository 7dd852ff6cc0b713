/*
 * A source that was put back to an older copy since the switch lacks what had come back to it, and nobody sends that again: the
 * slot on the target has moved on past it, and a worker that asks for less gets what lies behind the slot
 * (CreateDecodingContext, 9.4 and later). Its subscription streams as if nothing were.
 *
 * Data can be exchanged only while a server is down. So a source that has run since the switch has everything. One that was
 * started again has it, too, if it only was started again; that is shown by a comparison, behind the fence, of as many tables as
 * there is time for. Where they differ and that is accepted, the way there ends, as where something could not come back.
 */
#include "older.h"

#include <stdlib.h>
#include <string.h>

#include "changed.h"
#include "compare.h"
#include "records.h"
#include "reverse.h"
#include "steps.h"
#include "text.h"

#define RUN "source_run"

/* A server's run is known by its start, and its history by the timeline. */
static int ask_run(Cutover *cutover, char **run, Error *error)
{
    return database_value(
        cutover->source, run, error,
        "SELECT concat(to_char(pg_postmaster_start_time() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),"
        " ' UTC, timeline ', CASE WHEN NOT pg_is_in_recovery() THEN "
        "left(pg_walfile_name(pg_current_wal_lsn()), 8) END)",
        0);
}

int older_note(Cutover *cutover, json_t *detail, Error *error)
{
    char *run = NULL;
    if (ask_run(cutover, &run, error) != 0) {
        return -1;
    }
    json_object_set_new(detail, RUN, json_string(run));
    free(run);
    return 0;
}

/* *since: the run in which the way back began; "": it is the same. The caller frees it. */
static int find_other_run(Cutover *cutover, char **since, Error *error)
{
    StepRecord loaded[MAX_STEPS];
    char *now = NULL;
    *since = NULL;
    int status = records_load(cutover, &road_cutover, loaded, error);
    if (status == 0) {
        const StepRecord *streams = records_of(&road_cutover, loaded, "streams");
        const char *then = streams != NULL ? json_string_value(json_object_get(streams->detail, RUN)) : NULL;
        status = ask_run(cutover, &now, error);
        if (status == 0) {
            bool same = then != NULL && strcmp(then, now) == 0;
            *since = text_copy(same ? "" : then != NULL ? then : "not known");
        }
    }
    free(now);
    step_records_free(loaded, MAX_STEPS);
    return status;
}

static void say_late(Cutover *cutover, const CompareResult *result)
{
    size_t without = result->late + result->unreadable + result->rewritten;
    Text names = {0};
    changed_names(result, true, &names);
    cutover_warn(cutover,
                 "the source's server was started again since the switch, and %zu of %zu tables could not be "
                 "compared within "
                 "%g s of the hold%s%.600s. Was it put back to an older copy then, what had come back before "
                 "is missing there",
                 without, result->table_count, cutover->options->compare_limit, names.size > 0 ? ": " : "",
                 names.size > 0 ? names.data : "");
    text_free(&names);
}

static int judge(Cutover *cutover, const CompareResult *result, const char *since, Error *error)
{
    Text names = {0};
    if (result->late + result->unreadable + result->rewritten > 0) {
        say_late(cutover, result);
    }
    if (result->different == 0) {
        cutover_note(cutover,
                     "the source was started again since the switch: %zu of %zu tables compared, the same",
                     result->table_count - result->late, result->table_count);
        return 0;
    }
    changed_names(result, false, &names);
    if (cutover->options->accept_loss) {
        cutover_warn(cutover, "accepted: the source lacks what had come back to it: %.500s", names.data);
        text_free(&names);
        return reverse_end_forward(cutover->source, &cutover->migration, END_STREAM_LIMIT_MS, error);
    }
    error_set(error, ERROR_STATE,
              "the source lacks what had come back to it: %zu table%s differ%s: %.500s. Its server was "
              "started again since the way back "
              "began (started %s)",
              result->different, result->different == 1 ? "" : "s", result->different == 1 ? "s" : "",
              names.data, since);
    text_free(&names);
    return error_hint(error, "If it was put back to an older copy, or rows were changed there by hand, stay "
                             "on the target: penstock finish "
                             "ends the way back. --accept-loss goes back to what the source has.");
}

static int compare(Cutover *cutover, const char *ids, const char *since, Error *error)
{
    int left;
    CompareResult result;
    if (cutover_hold_left(cutover, &left, error) != 0) {
        return -1;
    }
    int status = changed_compare(cutover, ids, left, &result, error);
    if (status == 0) {
        status = judge(cutover, &result, since, error);
    }
    compare_free(&result);
    return status;
}

int step_older(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    char *since = NULL, *ids = NULL;
    (void)detail;
    if (find_other_run(cutover, &since, error) != 0) {
        return -1;
    }
    int status = 0;
    if (*since == '\0') {
        cutover_note(cutover, "the source has run since the switch");
    } else {
        status = reverse_whole_tables(cutover->target, &cutover->migration, &ids, error);
        status = status == 0 && ids != NULL ? compare(cutover, ids, since, error) : status;
    }
    free(since);
    free(ids);
    return status;
}
