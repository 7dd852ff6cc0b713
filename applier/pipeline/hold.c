/*
 *     transaction that the newest published snapshot does not see ──► all before it durable, which is noted on the
 *                                                                     target ──► the cursor waits there
 *     a newer one is published ──► all before it durable ──► the run ends, and a new one reads bound and parts anew
 *
 * What a run knows of the copy, it reads once: the bound at its start, then each table's origin when it is met, so that no
 * decision of a run contradicts another. That a table was copied after the bound was read is no matter: under whatever
 * snapshot it was, that one sees everything that this run may pass.
 *
 * A part that has to be copied anew is noted when all that came before it is durable and every lane stands at that point:
 * from then on the part counts as not copied, whatever is sent again after a crash.
 */
#include "hold.h"

#include <stdio.h>

#include "admission.h"

static Step ask(Resolve *resolve, Question *question)
{
    resolve->note = NOTE_ASKED;
    resolver_ask(resolve->resolver, question);
    return STEP_NEEDS_RELATIONS;
}

static Step ask_reached(Resolve *resolve)
{
    Question *question = question_new(NOTE_REACHED, 0);
    question->snapshot = resolve->bound.number;
    return ask(resolve, question);
}

Step hold_begin(Resolve *resolve, const BeginRecord *begin, bool quiet)
{
    resolve->xid = begin->xid;
    resolve->commit_lsn = begin->commit_lsn;
    if (resolve->bound.is_free || snapshot_sees(&resolve->bound.snapshot, begin->xid, begin->commit_lsn)) {
        return STEP_TOOK;
    }
    if (resolve->reached && !resolve->bound_is_past) {
        return STEP_HELD;
    }
    if (!quiet) {
        return STEP_NEEDS_QUIET;
    }
    return resolve->bound_is_past ? STEP_AGAIN : ask_reached(resolve);
}

void resolve_look(Resolve *resolve)
{
    if (!resolve->asking_bound && !resolve->bound_is_past) {
        resolve->asking_bound = true;
        resolver_ask(resolve->resolver, question_new(ASK_BOUND, 0));
    }
}

bool hold_needs(const Resolve *resolve, const ApplyRelation *relation)
{
    const Admission admission = {
        .relation = relation, .xid = resolve->xid, .commit_lsn = resolve->commit_lsn};
    return admit_run(&admission) != ADMIT_NOTHING;
}

/* What has to be waited for until the question is answered; STEP_TOOK: nothing, it may be asked. */
static Step recopy_step(const Resolve *resolve, bool quiet)
{
    if (resolve->recopied) {
        return STEP_AGAIN;
    }
    if (resolve->note == NOTE_ASKED) {
        return STEP_NEEDS_RELATIONS;
    }
    return quiet ? STEP_TOOK : STEP_NEEDS_QUIET;
}

Step hold_recopy_table(Resolve *resolve, const ApplyRelation *relation, bool quiet)
{
    Step step = recopy_step(resolve, quiet);
    if (step != STEP_TOOK) {
        return step;
    }
    Question *question = question_new(NOTE_TABLE, 0);
    question->table = relation->number;
    return ask(resolve, question);
}

Step resolve_recopy(Resolve *resolve, const int64_t *jobs, size_t count, bool quiet)
{
    Step step = recopy_step(resolve, quiet);
    if (step != STEP_TOOK) {
        return step;
    }
    Question *question = question_new(NOTE_PARTS, 0);
    for (size_t i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "%lld", (long long)jobs[i]);
        text_array_add(&question->jobs, text);
    }
    text_array_end(&question->jobs);
    log_line(resolve->log, LOG_INFO, "%zu part%s of tables will be copied anew", count,
             count == 1 ? "" : "s");
    return ask(resolve, question);
}

void hold_answered(Resolve *resolve, const Question *question)
{
    if (question->kind == ASK_BOUND) {
        resolve->asking_bound = false;
        resolve->bound_is_past = question->bound.is_free || question->bound.number > resolve->bound.number;
    } else {
        resolve->note = NOTE_NONE;
        resolve->reached |= question->kind == NOTE_REACHED;
        resolve->recopied |= question->kind != NOTE_REACHED;
    }
}
