/*
 * What the cutover noted of such tables stands in its steps `begin` and `count`, in the journal.
 */
#include "losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "reverse.h"

static const json_t *detail_of(const StepRecord *records, const char *step)
{
    const StepRecord *record = records_of(&road_cutover, records, step);
    return record != NULL ? record->detail : NULL;
}

static int limit_ms(const Cutover *cutover)
{
    double ms = cutover->options->compare_limit * 1000;
    int left;
    Error ignored;
    if (cutover->is_holding && !cutover->released && cutover_hold_left(cutover, &left, &ignored) == 0 &&
        left / 2.0 < ms) {
        ms = left / 2.0;
    }
    return (int)ms;
}

int losses_limits(Cutover *cutover, Limits *out, Error *error)
{
    StepRecord loaded[MAX_STEPS];
    bool forward = cutover->road == &road_cutover;
    if (!forward && records_load(cutover, &road_cutover, loaded, error) != 0) {
        step_records_free(loaded, MAX_STEPS);
        return -1;
    }
    const StepRecord *records = forward ? cutover->records : loaded;
    Unwritten kept = {.noted = detail_of(records, "begin"), .counted = detail_of(records, "count")};
    int status = unwritten_limits(cutover->target, &cutover->migration, &kept, limit_ms(cutover), out, error);
    if (!forward) {
        step_records_free(loaded, MAX_STEPS);
    }
    return status;
}

/* Nothing comes back of a table that was made anew since the cutover, whatever its name. */
static void add_uncovered(const char *known, char *nothing, size_t size)
{
    size_t used = strlen(nothing);
    if (known != NULL) {
        snprintf(nothing + used, size - used, "%s%s (not in the way back: made anew since the cutover)",
                 used > 0 ? ", " : "", known);
    }
}

static int find_uncovered(Cutover *cutover, char **known, char **made, Error *error)
{
    StepRecord loaded[MAX_STEPS];
    int status = records_load(cutover, &road_cutover, loaded, error);
    if (status == 0) {
        const StepRecord *publish = records_of(&road_cutover, loaded, "publish");
        const char *at =
            publish != NULL ? json_string_value(json_object_get(publish->detail, WAYS_PUBLISHED)) : NULL;
        status =
            reverse_uncovered(cutover->source, cutover->target, &cutover->migration, at, known, made, error);
    }
    step_records_free(loaded, MAX_STEPS);
    return status;
}

static int refuse(const Cutover *cutover, const Limits *limits, const char *made, Error *error)
{
    const char *inserts = limits->inserts, *nothing = limits->nothing;
    error_set(error, ERROR_STATE, "not everything comes back: %s%s%s%s%s%s%s%.300s",
              *inserts != '\0' ? "updates and deletes of " : "", inserts,
              *inserts != '\0' && *nothing != '\0' ? "; " : "", *nothing != '\0' ? "anything of " : "",
              nothing, made != NULL && (*inserts != '\0' || *nothing != '\0') ? "; " : "",
              made != NULL ? "rows of tables that were made on the target since the cutover: " : "",
              made != NULL ? made : "");
    if (*limits->late != '\0') {
        return error_hint(
            error,
            "Whether these were written to could not be read within %g s: %.256s. With a longer "
            "--compare-limit, and a --hold-limit of twice that at least, it is read to the end.",
            cutover->options->compare_limit, limits->late);
    }
    return error_hint(
        error, "Tables that were shown not to have been written to since the switch are left out "
               "already. If nothing of the kind was done, or it may be lost: --accept-loss. New tables "
               "are taken in by hand, rows and all; to publish them does not bring the rows: "
               "cutover.md, under The way back, has the statements.");
}

int losses_check_limits(Cutover *cutover, bool anew, Limits *out, Error *error)
{
    char *known = NULL, *made = NULL;
    if (losses_limits(cutover, out, error) != 0 ||
        (anew && find_uncovered(cutover, &known, &made, error) != 0)) {
        return -1;
    }
    add_uncovered(known, out->nothing, sizeof out->nothing);
    free(known);
    bool losses = *out->inserts != '\0' || *out->nothing != '\0' || made != NULL;
    int status = losses && !cutover->options->accept_loss ? refuse(cutover, out, made, error) : 0;
    free(made);
    return status;
}

int losses_check(Cutover *cutover, Error *error)
{
    Limits limits;
    return losses_check_limits(cutover, true, &limits, error);
}
