/*
 * What the cutover noted of such tables stands in its step `begin`, in the journal.
 */
#include "losses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "records.h"
#include "reverse.h"
#include "unwritten.h"

static const json_t *noted_in(const StepRecord *records)
{
    const StepRecord *begin = records_of(&road_cutover, records, "begin");
    return begin != NULL ? begin->detail : NULL;
}

int losses_limits(Cutover *cutover, char *inserts, char *nothing, size_t size, Error *error)
{
    StepRecord loaded[MAX_STEPS];
    const Migration *migration = &cutover->migration;
    if (cutover->road == &road_cutover) {
        return unwritten_limits(cutover->target, migration, noted_in(cutover->records), inserts, nothing,
                                size, error);
    }
    int status = records_load(cutover, &road_cutover, loaded, error);
    if (status == 0) {
        status =
            unwritten_limits(cutover->target, migration, noted_in(loaded), inserts, nothing, size, error);
    }
    step_records_free(loaded, MAX_STEPS);
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

int losses_check_limits(Cutover *cutover, char *inserts, char *nothing, size_t size, Error *error)
{
    char *known = NULL, *made = NULL;
    if (losses_limits(cutover, inserts, nothing, size, error) != 0 ||
        reverse_uncovered(cutover->source, cutover->target, &cutover->migration, &known, &made, error) != 0) {
        return -1;
    }
    add_uncovered(known, nothing, size);
    free(known);
    bool losses = *inserts != '\0' || *nothing != '\0' || made != NULL;
    if (losses && !cutover->options->accept_loss) {
        error_set(error, ERROR_STATE, "not everything comes back: %s%s%s%s%s%s%s%.300s",
                  *inserts != '\0' ? "updates and deletes of " : "", inserts,
                  *inserts != '\0' && *nothing != '\0' ? "; " : "", *nothing != '\0' ? "anything of " : "",
                  nothing, made != NULL && (*inserts != '\0' || *nothing != '\0') ? "; " : "",
                  made != NULL ? "rows of tables that were made on the target since the cutover: " : "",
                  made != NULL ? made : "");
        error_hint(
            error,
            "Tables that were small at the switch and were not written to since are left out already. If "
            "nothing "
            "of the kind was done, or it may be lost: --accept-loss. Rows of new "
            "tables can be brought over by hand, once the tables are made on the source and published.");
    }
    free(made);
    return losses && !cutover->options->accept_loss ? -1 : 0;
}

int losses_check(Cutover *cutover, Error *error)
{
    char inserts[512], nothing[512];
    return losses_check_limits(cutover, inserts, nothing, sizeof inserts, error);
}
