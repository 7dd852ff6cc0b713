/*
 * From the receiver's messages to the scheduler, record by record. Each step says whether there may be more to do now;
 * none of them waits. What cannot be taken yet stays where it is, in the cursor or in the receiver, and is tried again
 * with the next event.
 *
 *     take_message ──► frame, record: the cursor ──► schedule_record ──► scheduler
 *                                       │
 *                                       └ a relation ──► pass_relation: known? changed? ask the catalog
 *
 * A changed relation. Rows under the old and the new definition must not meet in the workers, and the way the relation
 * spreads over lanes may change. So the cursor waits at the relation record until everything before it is durable and
 * every lane stands at that very point (scheduler_sync); then the catalog is asked anew.
 *
 * A table that was changed on the target, so that another lane class would be right, keeps the one it had until every
 * lane stands at one point: at once, or after a crash as soon as the stream has passed the lane that was furthest.
 *
 * A recopy says that the target's rows of a relation are no longer right. It is noted on the target before anything behind
 * it is scheduled, so before progress can pass it; and a relation that waits to be copied again takes no part. So after
 * a crash the record may come again, and finds the relation waiting, or copied from a later snapshot: it is noted once.
 * The same is done with a table that the migration has never heard of, if the operator wants that; else the applier stops.
 *
 * A keepalive moves the scheduler's own floor, and only when all that came before it has been scheduled, which is always
 * so here: a message is only taken when the frame before it is used up.
 */
#include "run.h"

#include <stdlib.h>

/*
 * True once everything before the cursor is durable and every lane that was behind stands there; the cursor waits until
 * then.
 */
static bool stand_still(Pipeline *pipeline)
{
    if (!pipeline->syncing) {
        scheduler_sync(pipeline->scheduler);
        take_batches(pipeline);
        pipeline->syncing = true;
    }
    if (!all_durable(pipeline)) {
        return false;
    }
    pipeline->syncing = false;
    return true;
}

/* A table that was made at the source after the copy had listed the tables. */
static void meet_unknown(Pipeline *pipeline, const SourceRelation *source, const char *lsn)
{
    Error error;
    if (!pipeline->applier->recopy) {
        error_set(&error, ERROR_CONFLICT,
                  "table %s.%s has rows in transaction %s, and is not part of the migration: it was made at "
                  "the source after the copy had listed the tables",
                  source->schema, source->name, lsn);
        error_hint(&error,
                   "make it on the target as it is on the source, and run penstock copy, which takes it in; "
                   "or start with --on-undecodable=recopy, to leave it out until it has been copied");
        fail(pipeline, &error);
    } else if (catalog_note_unknown(pipeline->catalog, source, pipeline->transaction, &error) != 0) {
        fail(pipeline, &error);
    } else {
        log_line(&pipeline->applier->log, LOG_WARNING,
                 "table %s.%s was made at the source after the copy had listed the tables, and its changes "
                 "from transaction %s on are left out until it has been copied. Make it on the target, stop "
                 "this applier, then penstock copy",
                 source->schema, source->name, lsn);
    }
}

/* False when the cursor has to wait. */
static bool pass_relation(Pipeline *pipeline, const SourceRelation *source)
{
    const ApplyRelation *target;
    char lsn[LSN_TEXT_SIZE];
    Error error;
    if (targets_find(pipeline->targets, source, &target)) {
        return true;
    }
    if (targets_is_changed(pipeline->targets, source) && !stand_still(pipeline)) {
        return false;
    }
    if (targets_resolve(pipeline->targets, source, &error) != 0) {
        error_context(&error, "transaction %s", lsn_format(pipeline->transaction, lsn));
        fail(pipeline, &error);
    } else if (catalog_is_unknown(pipeline->catalog, source)) {
        meet_unknown(pipeline, source, lsn_format(pipeline->transaction, lsn));
    }
    return true;
}

/* Gives relations the lane class that is right for them now, as soon as that may be; false when the cursor has to wait. */
static bool settle_classes(Pipeline *pipeline)
{
    Error error;
    if (!targets_unsettled(pipeline->targets) || !scheduler_even(pipeline->scheduler)) {
        return true;
    }
    if (!stand_still(pipeline)) {
        return false;
    }
    if (targets_settle(pipeline->targets, &error) != 0) {
        fail(pipeline, &error);
    }
    return true;
}

/* The targets of the record's relations; *many is to be freed. */
static int find_targets(Pipeline *pipeline, const Record *record, const ApplyRelation **one,
                        const ApplyRelation ***many, Error *error)
{
    const SourceRelation *const *sources = &pipeline->frame->sources[pipeline->record];
    size_t count = record->kind == RECORD_ROWS ? 1 : 0;
    const ApplyRelation **out = one;
    if (record->kind == RECORD_TRUNCATE) {
        sources = pipeline->frame->truncated[pipeline->record];
        count = record->truncate.relation_count;
        out = *many = calloc(count + 1, sizeof *out);
        if (out == NULL) {
            return error_set(error, ERROR_SYSTEM, "no memory for a truncate of %zu relations", count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!targets_find(pipeline->targets, sources[i], &out[i])) {
            return error_set(error, ERROR_PROTOCOL, "changes of %s.%s came before its description",
                             sources[i]->schema, sources[i]->name);
        }
    }
    return 0;
}

/* Is this still the stream that the lanes come from? */
static int look_for_witnesses(Pipeline *pipeline, const Record *record, Error *error)
{
    if (record->kind == RECORD_BEGIN) {
        return witness_begin(pipeline->witness, record->begin.commit_lsn, record->begin.commit_time, error);
    }
    bool passed = record->kind == RECORD_HEARTBEAT && !scheduler_in_transaction(pipeline->scheduler);
    return passed ? witness_passed(pipeline->witness, record->heartbeat.lsn, error) : 0;
}

static void schedule_record(Pipeline *pipeline, const Record *record)
{
    const ApplyRelation *one = NULL;
    const ApplyRelation **many = NULL;
    Error error;
    if (look_for_witnesses(pipeline, record, &error) != 0 ||
        find_targets(pipeline, record, &one, &many, &error) != 0 ||
        scheduler_record(pipeline->scheduler, pipeline->frame, pipeline->record, many != NULL ? many : &one,
                         pipeline->turn_usec, &error) != 0) {
        fail(pipeline, &error);
    } else if (record->kind == RECORD_BEGIN) {
        pipeline->transaction = record->begin.commit_lsn;
    } else if (record->kind == RECORD_COMMIT) {
        progress_commit(pipeline->progress, record->commit.end_lsn, record->commit.commit_time);
        if (record->commit.end_lsn > pipeline->totals->received) {
            pipeline->totals->received = record->commit.end_lsn;
        }
    }
    free(many);
}

/* Leaves the relation out from here on, until it has been copied again. */
static void note_recopy(Pipeline *pipeline, const SourceRelation *source, const RecopyRecord *recopy)
{
    const ApplyRelation *target;
    char lsn[LSN_TEXT_SIZE], reason[512];
    bool noted;
    Error error;
    if (!targets_find(pipeline->targets, source, &target) || target == NULL) {
        return;
    }
    snprintf(reason, sizeof reason, "%.*s", (int)recopy->reason.size, (const char *)recopy->reason.data);
    if (catalog_mark_recopy(pipeline->catalog, source, pipeline->transaction, recopy->lsn, reason, &noted,
                            &error) != 0) {
        fail(pipeline, &error);
    } else if (noted) {
        targets_leave_out(pipeline->targets, source);
        log_line(&pipeline->applier->log, LOG_WARNING,
                 "table %s.%s has to be copied again, and its changes are left out until then: %s, at %s. "
                 "Stop this "
                 "applier, then penstock copy",
                 source->schema, source->name, reason, lsn_format(recopy->lsn, lsn));
    }
}

/* Schedules what the cursor has; false when it has to wait. */
static bool feed(Pipeline *pipeline)
{
    while (pipeline->frame != NULL && pipeline->record < pipeline->frame->count &&
           pipeline->state == STREAMING) {
        const Record *record = &pipeline->frame->records[pipeline->record];
        if (!settle_classes(pipeline)) {
            return false;
        }
        if (record->kind == RECORD_RECOPY) {
            note_recopy(pipeline, pipeline->frame->sources[pipeline->record], &record->recopy);
        }
        if (record->kind != RECORD_RELATION) {
            schedule_record(pipeline, record);
        } else if (!pass_relation(pipeline, pipeline->frame->sources[pipeline->record])) {
            return false;
        }
        take_batches(pipeline);
        pipeline->record++;
    }
    frame_release(pipeline->frame);
    pipeline->frame = NULL;
    return true;
}

static int take_keepalive(Pipeline *pipeline, const Received *message, Error *error)
{
    if (message->wal_end > pipeline->totals->received) {
        pipeline->totals->received = message->wal_end;
    }
    if (witness_passed(pipeline->witness, message->wal_end, error) != 0) {
        return -1;
    }
    scheduler_advance(pipeline->scheduler, message->wal_end);
    if (!message->reply_requested) {
        return 0;
    }
    advance(pipeline);
    return send_status(pipeline, false, error);
}

/* What came is not what the wire format says. */
static void explain_damage(Error *error)
{
    if (error->code == ERROR_PROTOCOL && error->hint[0] == '\0') {
        error_hint(
            error,
            "nothing of it was applied or confirmed, so that another start gets it anew; when the same "
            "comes again it is not the network: check the versions of penstock and of the decoder");
    }
}

bool take_message(Pipeline *pipeline)
{
    Received message;
    Error error;
    if (!feed(pipeline) || pipeline->state != STREAMING || memory_full(pipeline)) {
        return false;
    }
    int status = receiver_next(pipeline->receiver, &message, &error);
    if (status == 0 && message.kind == RECEIVED_DATA) {
        status = decoder_decode(pipeline->decoder, message.data, &pipeline->frame, &error);
        receiver_release(pipeline->receiver);
        pipeline->record = 0;
        pipeline->turn_bytes += pipeline->frame != NULL ? pipeline->frame->footprint : 0;
    } else if (status == 0 && message.kind == RECEIVED_KEEPALIVE) {
        status = take_keepalive(pipeline, &message, &error);
    }
    if (status != 0) {
        explain_damage(&error);
        fail(pipeline, &error);
        return false;
    }
    pipeline->more = message.kind != RECEIVED_NOTHING;
    if (pipeline->more) {
        pipeline->heard_usec = pipeline->turn_usec;
    }
    pipeline->came |= message.kind == RECEIVED_DATA;
    return pipeline->more;
}
