/*
 * A relation that is new is asked for with all others of its frame, before the cursor comes there. What does not fit is an
 * error only when the cursor does come: what is before it in the stream is applied.
 *
 * A changed relation. Rows under the old and the new definition must not meet in the workers, and the way the relation
 * spreads over lanes may change. So the cursor waits at the first record of its rows until everything before it is
 * durable and every lane stands at that very point; then the target is asked anew. A description alone is no reason to wait.
 *
 * A table that was changed on the target, so that another lane class would be right, keeps the one it had until every
 * lane stands at one point: at once, or after a crash as soon as the stream has passed the lane that was furthest.
 *
 * A recopy says that the target's rows of a relation are no longer right. It is noted on the target before anything behind
 * it is scheduled, so before progress can pass it; and a relation that waits to be copied again takes no part. So after
 * a crash the record may come again, and finds the relation waiting, or copied from a later snapshot: it is noted once.
 * While tables are still copied, the table is only copied once more (hold.c).
 * DDL that was captured changes what the catalog knows. Behind it relations are asked for again when their rows come, since the
 * source describes only those that it has changed. And what comes a second time after a restart may be about tables as they were
 * before it: records that nothing is left to be done of (scheduler_had) are passed without a look at the target.
 *
 * The same is done with a table that the migration has never heard of, if the operator wants that; else the applier stops.
 */
#include "resolve.h"

#include "captured.h"
#include "clock.h"
#include "hold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int resolve_open(Resolve *resolve, const ResolverOptions *options, Error *error)
{
    catalog_begin_run(resolve->catalog);
    return resolver_start(options, &resolve->resolver, error);
}

void resolve_close(Resolve *resolve)
{
    resolver_stop(resolve->resolver);
    resolve->resolver = NULL;
    snapshot_free(&resolve->bound.snapshot);
}

bool resolve_busy(const Resolve *resolve)
{
    return resolver_busy(resolve->resolver);
}

/* One that does not fit, and whose changes are of account. */
static const Refusal *refused(const Resolve *resolve, const SourceRelation *source, Lsn transaction)
{
    const Refusal *refusal = catalog_refusal(resolve->catalog, source);
    return refusal != NULL && transaction >= refusal->until ? refusal : NULL;
}

int resolve_target(const Resolve *resolve, const SourceRelation *source, Lsn transaction,
                   const ApplyRelation **out, Error *error)
{
    if (catalog_state(resolve->catalog, source) == CATALOG_REFUSED) {
        const Refusal *refusal = refused(resolve, source, transaction);
        *out = NULL;
        if (refusal != NULL) {
            *error = refusal->error;
        }
        return refusal != NULL ? -1 : 0;
    }
    return catalog_find(resolve->catalog, source, out)
               ? 0
               : error_set(error, ERROR_PROTOCOL, "changes of %s.%s came before its description",
                           source->schema, source->name);
}

/* Asking. */

static void add_source(Resolve *resolve, Question *question, const SourceRelation *source)
{
    question->sources[question->count++] = source;
    catalog_asked(resolve->catalog, source);
}

static bool is_new(const Resolve *resolve, const DecodedFrame *frame, size_t index)
{
    RecordKind kind = frame->records[index].kind;
    return (kind == RECORD_RELATION || kind == RECORD_ROWS) &&
           catalog_state(resolve->catalog, frame->sources[index]) == CATALOG_NEW;
}

/* All that are not known from that record on, in one question; up to a statement of DDL, behind which they may be others. */
static void ask_from(Resolve *resolve, const DecodedFrame *frame, size_t index)
{
    while (index < frame->count && !is_new(resolve, frame, index) &&
           !captured_is_statement(&frame->records[index])) {
        index++;
    }
    if (index == frame->count || !is_new(resolve, frame, index)) {
        return;
    }
    Question *question = question_new(ASK_RELATIONS, frame->count - index);
    question->count = 0;
    for (; index < frame->count && !captured_is_statement(&frame->records[index]); index++) {
        if (is_new(resolve, frame, index)) {
            add_source(resolve, question, frame->sources[index]);
        }
    }
    resolver_ask(resolve->resolver, question);
}

static bool has_statement(const DecodedFrame *frame)
{
    for (size_t i = 0; i < frame->count; i++) {
        if (captured_is_statement(&frame->records[i])) {
            return true;
        }
    }
    return false;
}

bool resolve_prefetch(Resolve *resolve, const DecodedFrame *frame)
{
    if (!resolve->defining) {
        ask_from(resolve, frame, 0);
    }
    return !resolve->defining && !has_statement(frame);
}

bool resolve_asks_ahead(const Resolve *resolve)
{
    return resolve->bound.is_free && !resolve->defining;
}

static void ask_one(Resolve *resolve, const SourceRelation *source)
{
    Question *question = question_new(ASK_RELATIONS, 1);
    question->count = 0;
    add_source(resolve, question, source);
    resolver_ask(resolve->resolver, question);
}

static Step ask_note(Resolve *resolve, Question *question, const SourceRelation *source, Lsn transaction)
{
    question->sources[0] = source;
    question->commit_lsn = transaction;
    question->xid = resolve->xid;
    resolve->note = NOTE_ASKED;
    resolver_ask(resolve->resolver, question);
    return STEP_NEEDS_RELATIONS;
}

/* Gives relations the lane class that is right for them now. Nothing is under way that could point to what is replaced. */
static Step ask_settled(Resolve *resolve)
{
    size_t count;
    const SourceRelation **list = catalog_list_unsettled(resolve->catalog, &count);
    Question *question = question_new(ASK_SETTLED, count);
    for (size_t i = 0; i < count; i++) {
        question->sources[i] = list[i];
    }
    free(list);
    resolve->settling = true;
    resolver_ask(resolve->resolver, question);
    return STEP_NEEDS_RELATIONS;
}

/* Records. */

/*
 * Is the table still there at the source? Of one that came and went, as tools that rewrite tables and nightly loads make
 * them, nothing is left that the target could miss. True when that is known, and it is.
 */
static bool is_still_there(Resolve *resolve, const SourceRelation *source, Lsn transaction, Step *step)
{
    if (resolve->present == source) {
        return true;
    }
    *step = ask_note(resolve, question_new(ASK_GONE, 1), source, transaction);
    return false;
}

/* It does not fit the table that was copied. */
static Step meet_refused(Resolve *resolve, const SourceRelation *source, Lsn transaction, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    Step step;
    const Refusal *refusal = refused(resolve, source, transaction);
    if (refusal == NULL) {
        return STEP_TOOK;
    }
    if (!is_still_there(resolve, source, transaction, &step)) {
        return step;
    }
    if (resolve->recopy && refusal->replaced) {
        return ask_note(resolve, question_new(NOTE_REPLACED, 1), source, transaction);
    }
    *error = refusal->error;
    error_context(error, "transaction %s", lsn_format(transaction, lsn));
    return STEP_FAILED;
}

/* A table that was made at the source after the copy had listed the tables. */
static Step meet_unknown(Resolve *resolve, const SourceRelation *source, Lsn transaction, Error *error)
{
    char lsn[LSN_TEXT_SIZE];
    Step step;
    const Refusal *renamed = catalog_refusal(resolve->catalog, source);
    if (!is_still_there(resolve, source, transaction, &step)) {
        return step;
    }
    if (resolve->creating == transaction && renamed == NULL) {
        return ask_note(resolve, question_new(NOTE_CREATED, 1), source, transaction);
    }
    if (resolve->recopy) {
        return ask_note(resolve, question_new(NOTE_UNKNOWN, 1), source, transaction);
    }
    if (renamed != NULL) {
        *error = renamed->error;
        error_context(error, "transaction %s", lsn_format(transaction, lsn));
        return STEP_FAILED;
    }
    error_set(error, ERROR_CONFLICT,
              "table %s.%s has rows in transaction %s, and is not part of the migration: it was made at "
              "the source after the copy had listed the tables",
              source->schema, source->name, lsn_format(transaction, lsn));
    error_hint(error,
               "make it on the target as it is on the source, and run penstock copy, which takes it in; "
               "or start with --on-undecodable=recopy, to leave it out until it has been copied");
    return STEP_FAILED;
}

static Step pass_relation(Resolve *resolve, const SourceRelation *source, Lsn transaction, bool quiet,
                          Error *error)
{
    switch (catalog_state(resolve->catalog, source)) {
    case CATALOG_KNOWN:
        return STEP_TOOK;
    case CATALOG_ASKED:
        return STEP_NEEDS_RELATIONS;
    case CATALOG_UNKNOWN:
        return meet_unknown(resolve, source, transaction, error);
    case CATALOG_REFUSED:
        return meet_refused(resolve, source, transaction, error);
    case CATALOG_CHANGED:
        if (!quiet) {
            return STEP_NEEDS_QUIET;
        }
        break;
    case CATALOG_NEW:
        break;
    }
    ask_one(resolve, source);
    return STEP_NEEDS_RELATIONS;
}

/* What the target has of it is not right from here on, for that reason: it is left out until it has been copied again. */
typedef struct Loss {
    const SourceRelation *source;
    Lsn lsn;
    const char *reason;
    size_t reason_size;
} Loss;

static Step ask_loss(Resolve *resolve, const Loss *loss, Lsn transaction)
{
    Question *question = question_new(NOTE_RECOPY, 1);
    question->lsn = loss->lsn;
    snprintf(question->reason, sizeof question->reason, "%.*s", (int)loss->reason_size, loss->reason);
    return ask_note(resolve, question, loss->source, transaction);
}

static Step note_loss(Resolve *resolve, const Loss *loss, const ApplyRelation *target, Lsn transaction,
                      bool quiet)
{
    return resolve->bound.is_free ? ask_loss(resolve, loss, transaction)
                                  : hold_recopy_table(resolve, target, quiet);
}

static Loss loss_of(const SourceRelation *source, const RecopyRecord *recopy)
{
    return (Loss){.source = source,
                  .lsn = recopy->lsn,
                  .reason = (const char *)recopy->reason.data,
                  .reason_size = recopy->reason.size};
}

static Step note_recopy(Resolve *resolve, const Loss *loss, Lsn transaction, bool quiet)
{
    const ApplyRelation *target;
    if (resolve->note == NOTE_MADE || !catalog_find(resolve->catalog, loss->source, &target) ||
        target == NULL || !hold_needs(resolve, target)) {
        resolve->note = NOTE_NONE;
        return STEP_TOOK;
    }
    return note_loss(resolve, loss, target, transaction, quiet);
}

/* Is the table that rows of the leaf go through truncated, too? Then its leaf is, and all others with it. */
static bool has_route(const SourceRelation *const *truncated, uint32_t count, const ApplyRelation *leaf)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t schema = strlen(truncated[i]->schema);
        if (strncmp(leaf->route, truncated[i]->schema, schema) == 0 && leaf->route[schema] == '.' &&
            strcmp(leaf->route + schema + 1, truncated[i]->name) == 0) {
            return true;
        }
    }
    return false;
}

/* A leaf that is truncated by itself at the source, and whose rows are spread over several on the target, one after the other. */
static Step pass_lone_leaves(Resolve *resolve, const DecodedFrame *frame, size_t index, Lsn transaction,
                             bool quiet)
{
    static const char reason[] =
        "a partition was truncated by itself, whose rows are spread over several on the target";
    const SourceRelation *const *truncated = frame->truncated[index];
    uint32_t count = frame->records[index].truncate.relation_count;
    resolve->note = NOTE_NONE;
    for (uint32_t i = 0; i < count; i++) {
        const ApplyRelation *target;
        if (catalog_find(resolve->catalog, truncated[i], &target) && target != NULL &&
            target->route != NULL && !has_route(truncated, count, target) && hold_needs(resolve, target)) {
            const Loss loss = {.source = truncated[i],
                               .lsn = transaction,
                               .reason = reason,
                               .reason_size = sizeof reason - 1};
            return note_loss(resolve, &loss, target, transaction, quiet);
        }
    }
    return STEP_TOOK;
}

void resolve_passed(Resolve *resolve, const Record *record, Lsn transaction)
{
    if (captured_is_start(record)) {
        resolve->creating = transaction;
    }
}

/*
 * A captured statement: everything before it is durable and every question answered, so that no answer comes from before it.
 * It runs when it is scheduled; the next record waits for that, and then nothing that was known of tables counts any more.
 */
static Step meet_ddl(Resolve *resolve, bool quiet)
{
    if (!quiet) {
        return STEP_NEEDS_QUIET;
    }
    if (resolver_busy(resolve->resolver)) {
        return STEP_NEEDS_RELATIONS;
    }
    resolve->defining = true;
    return STEP_TOOK;
}

/* While tables are copied, what is known of the copy counts no more either: the next run reads it anew. */
static Step pass_ddl(Resolve *resolve, bool quiet)
{
    if (!quiet) {
        return STEP_NEEDS_QUIET;
    }
    resolve->defining = false;
    resolve->present = NULL;
    catalog_forget(resolve->catalog);
    return resolve->bound.is_free ? STEP_TOOK : STEP_AGAIN;
}

static Step pass_truncated(Resolve *resolve, const DecodedFrame *frame, size_t index, Lsn transaction,
                           bool quiet, Error *error)
{
    Step step = STEP_TOOK;
    for (uint32_t i = 0; i < frame->records[index].truncate.relation_count && step == STEP_TOOK; i++) {
        step = pass_relation(resolve, frame->truncated[index][i], transaction, quiet, error);
    }
    return step == STEP_TOOK ? pass_lone_leaves(resolve, frame, index, transaction, quiet) : step;
}

/*
 * What the stream itself says has to be copied again need not fit the table that was copied: nothing more of it is applied. Before
 * the copy is done its parts are asked for by the table, which one that the target lacks columns of has not.
 */
static Step leave_refused(Resolve *resolve, const Loss *loss, Lsn transaction, Error *error)
{
    Step step;
    const Refusal *refusal = refused(resolve, loss->source, transaction);
    if (refusal == NULL) {
        return STEP_TOOK;
    }
    if (!is_still_there(resolve, loss->source, transaction, &step)) {
        return step;
    }
    if (refusal->replaced) {
        return ask_note(resolve, question_new(NOTE_REPLACED, 1), loss->source, transaction);
    }
    return resolve->bound.is_free ? ask_loss(resolve, loss, transaction)
                                  : meet_refused(resolve, loss->source, transaction, error);
}

static Step pass_recopy(Resolve *resolve, const Loss *loss, Lsn transaction, bool quiet, Error *error)
{
    Step step = catalog_state(resolve->catalog, loss->source) == CATALOG_REFUSED
                    ? leave_refused(resolve, loss, transaction, error)
                    : pass_relation(resolve, loss->source, transaction, quiet, error);
    return step == STEP_TOOK ? note_recopy(resolve, loss, transaction, quiet) : step;
}

Step resolve_record(Resolve *resolve, const DecodedFrame *frame, size_t index, Lsn transaction, bool quiet,
                    bool even, Error *error)
{
    const Record *record = &frame->records[index];
    Loss loss;
    if (resolve->defining) {
        Step step = pass_ddl(resolve, quiet);
        if (step != STEP_TOOK) {
            return step;
        }
        ask_from(resolve, frame, index);
    }
    if (resolve->settling || resolve->note == NOTE_ASKED) {
        return STEP_NEEDS_RELATIONS;
    }
    if (catalog_unsettled(resolve->catalog) && even) {
        return quiet ? ask_settled(resolve) : STEP_NEEDS_QUIET;
    }
    switch (record->kind) {
    case RECORD_ROWS:
        return pass_relation(resolve, frame->sources[index], transaction, quiet, error);
    case RECORD_TRUNCATE:
        return pass_truncated(resolve, frame, index, transaction, quiet, error);
    case RECORD_RECOPY:
        loss = loss_of(frame->sources[index], &record->recopy);
        return pass_recopy(resolve, &loss, transaction, quiet, error);
    case RECORD_MESSAGE:
        resolve_passed(resolve, record, transaction);
        return captured_is_statement(record) ? meet_ddl(resolve, quiet) : STEP_TOOK;
    case RECORD_BEGIN:
        return hold_begin(resolve, &record->begin, quiet);
    default:
        return STEP_TOOK;
    }
}

/* Answers. */

static void recopy_noted(Resolve *resolve, const Question *question)
{
    char lsn[LSN_TEXT_SIZE];
    const SourceRelation *source = question->sources[0];
    resolve->note = NOTE_MADE;
    catalog_leave_out(resolve->catalog, source);
    if (question->noted) {
        log_line(resolve->log, LOG_WARNING,
                 "table %s.%s has to be copied again, and its changes are left out until then: %s, at %s. "
                 "Stop this applier, then penstock copy",
                 source->schema, source->name, question->reason, lsn_format(question->lsn, lsn));
    }
}

static void unknown_noted(Resolve *resolve, const Question *question)
{
    char lsn[LSN_TEXT_SIZE];
    const SourceRelation *source = question->sources[0];
    resolve->note = NOTE_NONE;
    catalog_leave_out(resolve->catalog, source);
    log_line(resolve->log, LOG_WARNING,
             "table %s.%s was made at the source after the copy had listed the tables, and its changes "
             "from transaction %s on are left out until it has been copied. Make it on the target, stop "
             "this applier, then penstock copy",
             source->schema, source->name, lsn_format(question->commit_lsn, lsn));
}

static void replaced_noted(Resolve *resolve, const Question *question)
{
    char lsn[LSN_TEXT_SIZE];
    const SourceRelation *source = question->sources[0];
    const Refusal *refusal = catalog_refusal(resolve->catalog, source);
    resolve->note = NOTE_NONE;
    log_line(
        resolve->log, LOG_WARNING,
        "%s. Its changes from transaction %s on are left out until it has been copied again. Make the same "
        "change on the target, stop this applier, then penstock copy",
        refusal != NULL ? refusal->error.message : source->name, lsn_format(question->commit_lsn, lsn));
    catalog_leave_out(resolve->catalog, source);
}

static void gone_answered(Resolve *resolve, const Question *question)
{
    char lsn[LSN_TEXT_SIZE];
    const SourceRelation *source = question->sources[0];
    resolve->note = NOTE_NONE;
    if (!question->noted && !question->stays_behind) {
        resolve->present = source;
        return;
    }
    catalog_leave_out(resolve->catalog, source);
    if (question->stays_behind) {
        log_line(resolve->log, LOG_INFO,
                 "table %s.%s was made since, and stays behind by the migration's selection "
                 "(penstock.left_behind has why)",
                 source->schema, source->name);
        return;
    }
    log_line(resolve->log, LOG_WARNING,
             "table %s.%s (OID %u) came and went: it has changes in transaction %s and is not there any more "
             "at the "
             "source; they are left out",
             source->schema, source->name, source->id, lsn_format(question->commit_lsn, lsn));
}

/* The relation is in use already: it may take no part from here on, but not be something that does not fit. */
static int check_settled(const Answer *answer, Error *error)
{
    if (answer->error != NULL) {
        *error = *answer->error;
        return -1;
    }
    return !answer->unknown
               ? 0
               : error_set(error, ERROR_STATE, "table %s.%s is not part of the migration any more",
                           answer->source->schema, answer->source->name);
}

static int take_answer(Resolve *resolve, Meet *meet, Question *question, Error *error)
{
    switch (question->kind) {
    case ASK_SETTLED:
        resolve->settling = false;
        for (size_t i = 0; i < question->count; i++) {
            if (check_settled(&question->answers[i], error) != 0) {
                return -1;
            }
        }
        /* fall through */
    case ASK_RELATIONS:
        for (size_t i = 0; i < question->count; i++) {
            catalog_take(resolve->catalog, &question->answers[i]);
        }
        break;
    case NOTE_RECOPY:
        recopy_noted(resolve, question);
        break;
    case NOTE_CREATED:
        resolve->note = NOTE_NONE;
        catalog_forget_one(resolve->catalog, question->sources[0]);
        break;
    case NOTE_UNKNOWN:
        unknown_noted(resolve, question);
        break;
    case ASK_BOUND:
    case NOTE_REACHED:
    case NOTE_PARTS:
    case NOTE_TABLE:
        hold_answered(resolve, question);
        break;
    case NOTE_REPLACED:
        replaced_noted(resolve, question);
        break;
    case ASK_GONE:
        gone_answered(resolve, question);
        break;
    case ASK_POINT:
    case MOVE_POINT:
        meet_answered(meet, question, clock_usec());
        break;
    }
    return 0;
}

int resolve_collect(Resolve *resolve, Meet *meet, Error *error)
{
    int status = 0;
    for (Question *question = resolver_collect(resolve->resolver); question != NULL && status == 0;
         question = status == 0 ? resolver_collect(resolve->resolver) : NULL) {
        if (question->error.code != ERROR_NONE) {
            *error = question->error;
            status = -1;
        } else {
            status = take_answer(resolve, meet, question, error);
        }
        question_free(question);
    }
    return status;
}
