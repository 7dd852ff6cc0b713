/*
 * Once clients have gone on: proof that they are where they should be and nobody is where they were, and the last words
 * in the state. Nothing here is undone; what fails here is tried again by --resume.
 */
#include <stdio.h>
#include <stdlib.h>

#include "activity.h"
#include "clock.h"
#include "cutover.h"
#include "hand_over.h"
#include "probe.h"
#include "reverse.h"
#include "records.h"
#include "steps.h"

#define LOOK_AGAIN_MS 50

static int probe_one(Cutover *cutover, const char *uri, Error *error)
{
    ProbeAnswer answer;
    if (probe(uri, false, (int)(PROBE_LIMIT_S * 1000), &answer, error) != 0) {
        return -1;
    }
    return look_check_answer(cutover, &answer, error);
}

static bool probe_has_failed(const Cutover *cutover)
{
    const StepRecord *record = records_of(cutover->road, cutover->records, "probe");
    return record != NULL && record->failed;
}

/* A probe that failed before is not made good by not looking; one that was never made is said to be missing. */
static int not_looked(Cutover *cutover, Error *error)
{
    bool carries_on = cutover->options->mode == CUTOVER_RESUME;
    if (cutover->holds && probe_has_failed(cutover)) {
        error_set(error, ERROR_STATE,
                  "the look through the proxy failed before, and there are no credentials for another");
        return error_hint(error, "--probe takes a connection string through the proxy.");
    }
    cutover_note(cutover,
                 cutover->holds ? "no credentials to look through the proxy" : "no proxy to look through");
    if (cutover->holds && carries_on) {
        snprintf(cutover->unproven, sizeof cutover->unproven,
                 "nobody has looked through the proxy: --probe, with a connection string through it, would "
                 "have shown "
                 "that clients get to the %s",
                 cutover->road->to);
    }
    return 0;
}

int step_probe(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool looked = false;
    (void)detail;
    if (step_end_look(cutover, NULL, error) != 0) {
        return -1;
    }
    if (cutover->options->unproven) {
        cutover_note(cutover, "left out: the way goes back from here");
        return 0;
    }
    if (cutover->options->probe != NULL) {
        return probe_one(cutover, cutover->options->probe, error);
    }
    for (size_t i = 0; i < cutover->proxy_count; i++) {
        CutoverProxy *proxy = &cutover->proxies[i];
        if (traffic_has_ended(proxy)) {
            char name[160];
            traffic_name(proxy, name);
            snprintf(cutover->unproven, sizeof cutover->unproven,
                     "nobody has looked through %s, which has ended", name);
            looked = true;
            continue;
        }
        /* A run that was carried on with has not passed the preflight. */
        if (*proxy->report.probe == '\0' &&
            proxy->operations->find_probe(proxy->proxy, &cutover->context, &proxy->report, error) != 0) {
            return -1;
        }
        if (*proxy->report.probe != '\0' && probe_one(cutover, proxy->report.probe, error) != 0) {
            return -1;
        }
        looked = looked || *proxy->report.probe != '\0';
    }
    return looked ? 0 : not_looked(cutover, error);
}

/*
 * Connections that the proxy keeps to the side that clients left. The fence has ended them all, and lets only superusers
 * in again: of those it is said, since a monitor may well be one.
 */
static int wait_until_gone(Cutover *cutover, char **who, Error *error)
{
    for (int64_t deadline = clock_ms() + (int64_t)(FENCE_LIMIT_S * 1000);; clock_pause_ms(LOOK_AGAIN_MS)) {
        int others;
        free(*who);
        *who = NULL;
        if (activity_left(cutover->leaving, &others, who, error) != 0) {
            return -1;
        }
        if (others == 0) {
            return 0;
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_STATE, "%d sessions are on the %s: %.300s", others, cutover->road->from,
                      *who);
            return error_hint(error,
                              "Is its fence still there (CONNECTION LIMIT 0)? End them, then --resume.");
        }
    }
}

/*
 * The stream there goes on until the next step, so what was written since the release is seen. It is on the target as well, and
 * comes back from there when the way back flows, to a source that has it. Whoever carries on has been told, and seen to it.
 */
static int see_late_writes(Cutover *cutover, Error *error)
{
    if (prove_nothing_behind(cutover, error) == 0) {
        return 0;
    }
    if (error->code != ERROR_STATE || cutover->options->mode != CUTOVER_RESUME) {
        return error_hint(
            error, "Stop who it was, and take away on the source what was written there: it is on the "
                   "target, too, and "
                   "would stop the way back as a duplicate. Then --resume, which goes on in any case.");
    }
    snprintf(cutover->unproven, sizeof cutover->unproven, "%.250s", error->message);
    *error = (Error){.code = ERROR_NONE};
    return 0;
}

int step_gone(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    bool forward = cutover->road == &road_cutover;
    char *who = NULL;
    (void)detail;
    if (forward && !cutover_source_answers(cutover)) {
        cutover_note(cutover, "the source does not answer");
        return 0;
    }
    int readers, status = cutover->options->leave_readers
                              ? activity_left(cutover->leaving, &readers, &who, error)
                              : wait_until_gone(cutover, &who, error);
    if (status == 0 && cutover->options->leave_readers) {
        cutover_note(cutover, "readers stay on the %s: %.300s", cutover->road->from,
                     who != NULL ? who : "none now");
    } else if (status == 0 && who != NULL) {
        cutover_warn(cutover, "superusers are on the %s still: %s", cutover->road->from, who);
    }
    if (status == 0 && !cutover->options->leave_readers) {
        cutover_note(cutover, "%s on the %s", who != NULL ? "only superusers are" : "nobody is",
                     cutover->road->from);
    }
    free(who);
    return status == 0 && forward ? see_late_writes(cutover, error) : status;
}

int step_switched(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    (void)detail;
    hand_over_tell(cutover);
    cutover_note(cutover, "the source stays fenced");
    cutover->migration.phase = PHASE_SWITCHED;
    return state_set_phase(cutover->target, cutover->migration.name, PHASE_SWITCHED, error);
}

/*
 * The way back is taken away; its subscription went before the release. With a stream the migration stands again where it
 * did before the cutover, both sides equal at the position where the stream begins; without, it is over.
 */
int step_back(void *context, json_t *detail, Error *error)
{
    Cutover *cutover = context;
    Lsn begins;
    (void)detail;
    if (reverse_unsubscribe(cutover->source, &cutover->migration, error) != 0 ||
        reverse_drop_slot(cutover->target, &cutover->migration, END_STREAM_LIMIT_MS, error) != 0 ||
        reverse_unpublish(cutover->target, &cutover->migration, error) != 0 ||
        reverse_forward_begins(cutover->source, &cutover->migration, &begins, error) != 0) {
        return -1;
    }
    if (begins != LSN_INVALID && ways_begin(cutover) > begins) {
        begins = ways_begin(cutover); /* the source has crashed since */
    }
    if (begins != LSN_INVALID) {
        cutover_note(cutover, "the target stays fenced, and can be followed to");
        cutover->migration.phase = PHASE_COPIED;
        return state_begin_again(cutover->target, cutover->migration.name, begins, error);
    }
    cutover_note(cutover, "the target stays fenced; the way back is taken away");
    cutover->migration.phase = PHASE_ROLLED_BACK;
    return state_set_phase(cutover->target, cutover->migration.name, PHASE_ROLLED_BACK, error);
}
