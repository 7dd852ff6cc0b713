/*
 * What to do now. The first row whose condition holds gives the answer; the order is the order of urgency.
 */
#include "view.h"

#include <stdlib.h>
#include <string.h>

#define NEAR_SECONDS 5
#define NEAR_BYTES (16 << 20)

static bool none(const json_t *document)
{
    return view_in_phase(document, "none");
}

static bool misnamed(const json_t *document)
{
    return none(document) && json_array_size(view_at(document, "others")) > 0;
}

/* No state, and a fence: it was switched from here. */
static bool finished(const json_t *document)
{
    return none(document) && view_true(document, "source.fenced");
}

static bool copy_runs(const json_t *document)
{
    return (view_in_phase(document, "created") || view_in_phase(document, "copying")) &&
           view_true(document, "running.control");
}

static bool copy_stopped(const json_t *document)
{
    return view_in_phase(document, "created") || view_in_phase(document, "copying");
}

static bool copy_again_runs(const json_t *document)
{
    return view_copy_again(document) && view_true(document, "running.control");
}

/* The last step of the journal belongs to an operation that neither ended nor was undone. */
static bool operation_open(const json_t *document, const char *operation)
{
    const json_t *journal = view_at(document, "journal");
    const json_t *last = json_array_get(journal, json_array_size(journal) - 1);
    return strcmp(view_text(last, "operation"), operation) == 0 &&
           strcmp(view_text(last, "event"), "undone") != 0;
}

bool view_cutover_open(const json_t *document)
{
    return view_in_phase(document, "copied") && operation_open(document, "cutover");
}

bool view_rollback_open(const json_t *document)
{
    return view_in_phase(document, "switched") && operation_open(document, "rollback");
}

static bool rollback_runs(const json_t *document)
{
    return view_rollback_open(document) && view_true(document, "running.control");
}

static bool cutover_runs(const json_t *document)
{
    return view_cutover_open(document) && view_true(document, "running.control");
}

static bool applier_absent(const json_t *document)
{
    return view_in_phase(document, "copied") && !view_true(document, "running.applier");
}

static bool source_lost(const json_t *document)
{
    return view_in_phase(document, "copied") && !view_true(document, "source.reachable");
}

static bool applier_waits(const json_t *document)
{
    return view_in_phase(document, "copied") && strcmp(view_text(document, "applier.state"), "waiting") == 0;
}

static bool far_behind(const json_t *document)
{
    return view_in_phase(document, "copied") && (view_number(document, "lag.bytes") > NEAR_BYTES ||
                                                 view_number(document, "lag.seconds") > NEAR_SECONDS);
}

static bool near(const json_t *document)
{
    return view_in_phase(document, "copied");
}

static bool way_back(const json_t *document)
{
    return view_in_phase(document, "switched") && json_is_object(view_at(document, "reverse.slot"));
}

static bool rolled_back(const json_t *document)
{
    return view_in_phase(document, "rolled back");
}

static bool switched(const json_t *document)
{
    return view_in_phase(document, "switched");
}

static const struct {
    bool (*holds)(const json_t *document);
    const char *answer;
} rows[] = {
    {misnamed, "Name the migration that is meant with --migration; or begin this one with `penstock check`."},
    {finished, "Nothing, where the applications use the target. The fence on the source can go when nobody "
               "writes there any "
               "more: `penstock help finish`."},
    {none, "`penstock check`, and when it is content, `penstock copy`."},
    {copy_runs, "Wait: the copy is running."},
    {copy_stopped, "`penstock copy`: it goes on where it stopped."},
    {cutover_runs, "Wait: the cutover is running."},
    {view_cutover_open,
     "A cutover was cut short: `penstock cutover --resume` to go on, or `penstock cutover --undo`."},
    {source_lost, "The source cannot be reached: see that it runs and answers from here."},
    {view_slot_lost,
     "The slot is gone, and with it the changes since: `penstock finish --abandon`, then begin again."},
    {view_applier_failed, "Solve what the applier's error says, then `penstock follow`."},
    {applier_absent, "`penstock follow`: the applier is not running, and the source keeps WAL for it."},
    {applier_waits, "Nothing, unless it lasts: the applier waits for a server and tries again by itself."},
    {copy_again_runs, "Wait: the copy is running."},
    {view_copy_again,
     "Stop `penstock follow`, `penstock copy` for what has to be copied again, then `penstock follow`."},
    {far_behind, "Wait until the lag is small; then `penstock cutover`."},
    {near, "`penstock cutover`, when you are ready: the target is close behind."},
    {rollback_runs, "Wait: the rollback is running."},
    {view_rollback_open,
     "A rollback was cut short: `penstock rollback --resume` to go on, or `penstock rollback --undo`."},
    {view_way_back_stands_still,
     "The source does not follow the target, which keeps WAL for it: its log says why. Without a way back: "
     "`penstock finish`."},
    {way_back,
     "See that the applications work on the target; then `penstock finish`, or `penstock rollback`."},
    {rolled_back, "The applications are on the source again: `penstock finish`, then begin anew."},
    {switched, "See that the applications work on the target; then `penstock finish`."},
};

const char *view_next(const json_t *document)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].holds(document)) {
            return rows[i].answer;
        }
    }
    return "Nothing: this migration is finished.";
}
