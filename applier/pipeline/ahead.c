/*
 * Reading ahead of the cursor while it stands still.
 *
 * For a comparison of both sides, which has to know what comes (meet.h). And for the resolver: a frame of a backlog may bring thousands
 * of relations that are not known yet, and where the cursor waits for them it would have nothing to do afterwards until the next
 * frame has been read and decoded, nor the source anything while the cursor waits. So frames behind are read meanwhile, as many
 * as a part of the memory holds, and their relations asked for.
 *
 * What is asked early is answered early, which makes no difference as long as the same would be asked: not while tables are copied
 * (resolve_asks_ahead), and not behind a statement of DDL. The last message that was read may have one; behind it nothing is read
 * until the cursor has come there (fenced). The same goes for what a comparison has read, without asking for anything.
 */
#include "run.h"

#define PART_OF_MEMORY 8

/* What has been read already. */
static void show_rest(Pipeline *pipeline)
{
    meet_rest(&pipeline->meet, pipeline->intake.frame, pipeline->intake.record);
    for (const Ahead *ahead = pipeline->intake.ahead; ahead != NULL; ahead = ahead->next) {
        meet_ahead(&pipeline->meet, ahead->frame, ahead->keepalive);
    }
}

/* One message, behind those that were read ahead already; nothing is the step where there is none. */
static Step read_one(Pipeline *pipeline, Step nothing, const Ahead **message, Error *error)
{
    Step step = intake_look_ahead(&pipeline->intake, message, error);
    if (step == STEP_TOOK && loop_heard(pipeline, error) != 0) {
        return STEP_FAILED;
    }
    return step == STEP_EMPTY ? nothing : step;
}

Step ahead_to_compare(Pipeline *pipeline, Error *error)
{
    const Ahead *message;
    if (meet_wants_rest(&pipeline->meet)) {
        show_rest(pipeline);
        return STEP_TOOK;
    }
    Step step = read_one(pipeline, STEP_LOOKS_AHEAD, &message, error);
    if (step == STEP_TOOK) {
        pipeline->fenced = true;
        meet_ahead(&pipeline->meet, message->frame, message->keepalive);
    }
    return step;
}

static bool may_ask(const Pipeline *pipeline)
{
    return !pipeline->fenced && resolve_asks_ahead(&pipeline->resolve) && !meet_is_busy(&pipeline->meet) &&
           intake_unread_bytes(&pipeline->intake) < pipeline->applier->memory / PART_OF_MEMORY &&
           !loop_memory_full(pipeline);
}

Step ahead_to_ask(Pipeline *pipeline, Error *error)
{
    const Ahead *message;
    if (!may_ask(pipeline)) {
        return STEP_NEEDS_RELATIONS;
    }
    if (intake_turn_is_long(&pipeline->intake)) {
        return STEP_ASKS_AHEAD;
    }
    Step step = read_one(pipeline, STEP_ASKS_AHEAD, &message, error);
    if (step == STEP_TOOK) {
        pipeline->fenced = message->frame != NULL && !resolve_prefetch(&pipeline->resolve, message->frame);
    }
    return step;
}

void ahead_passed(Pipeline *pipeline)
{
    bool all = pipeline->intake.frame == NULL || resolve_prefetch(&pipeline->resolve, pipeline->intake.frame);
    if (pipeline->intake.ahead == NULL) {
        pipeline->fenced = !all;
    }
}
