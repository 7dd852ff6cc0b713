/*
 * S is taken while the cursor stands, so S sees what the target has but for one thing: the source's walsender sends a
 * transaction when its commit record is flushed, and others see it a moment later (access/transam/xact.c: between the two it
 * may wait for a synchronous standby). So what was passed lately is held against S, too.
 *
 *     NOTHING ─wanted─► WANTED ─between two transactions─► STANDING ─S─► GOING ──► SETTLING ──► REACHED ─released─► NOTHING
 *                                                             ▲            │ ▲         ▲
 *                                                             │            ▼ │         │
 *                                                             └─ refused ─ LOOKING ────┘
 *
 * GOING ends before the first transaction that S does not see. When that committed before S.end, others behind it may have
 * been seen: the stream is read ahead up to S.end to know (LOOKING). What committed at S.end or behind is not seen.
 *
 * Whatever S, what is passed is only what one or another S saw, in the order of the stream: going on from there is always right.
 */
#include "meet.h"

#include <stdio.h>

void meet_open(Meet *meet, Resolver *resolver, Lsn lanes, const Log *log)
{
    *meet = (Meet){.resolver = resolver, .lanes = lanes, .log = log};
}

void meet_close(Meet *meet)
{
    snapshot_free(&meet->snapshot);
}

static double stood_ms(const Meet *meet, uint64_t now_usec)
{
    return meet->since_usec == 0 ? 0 : (double)(now_usec - meet->since_usec) / 1000;
}

/* Nothing is passed until it is noted. */
static void move(Meet *meet, PointState from, PointState to, double held_ms, const char *reason)
{
    Question *question = question_new(MOVE_POINT, 0);
    question->point.number = meet->number;
    question->point.state = from;
    question->point.held_ms = held_ms;
    question->point_to = to;
    snprintf(question->reason, sizeof question->reason, "%s", reason != NULL ? reason : "");
    meet->moving = true;
    resolver_ask(meet->resolver, question);
}

static void refuse(Meet *meet, const char *reason)
{
    meet->state = MEET_STANDING;
    move(meet, POINT_TAKEN, POINT_REFUSED, 0, reason);
}

static void forget(Meet *meet)
{
    meet->state = MEET_NOTHING;
    meet->since_usec = 0;
    snapshot_free(&meet->snapshot);
}

void meet_look(Meet *meet, uint64_t now_usec)
{
    if (meet->moving || meet->asking) {
        return;
    }
    if (meet->since_usec != 0 && stood_ms(meet, now_usec) > meet->limit_ms) {
        char reason[96];
        snprintf(reason, sizeof reason, "the applier had stood for %d ms", meet->limit_ms);
        move(meet, POINT_NONE, POINT_GIVEN_UP, stood_ms(meet, now_usec), reason);
        return;
    }
    meet->asking = true;
    resolver_ask(meet->resolver, question_new(ASK_POINT, 0));
}

/* Steps. */

static bool sees_all_passed(const Meet *meet)
{
    size_t count = meet->passed_count < MEET_PASSED ? meet->passed_count : MEET_PASSED;
    for (size_t i = 0; i < count; i++) {
        if (!snapshot_sees(&meet->snapshot, meet->passed[i], LSN_INVALID)) {
            return false;
        }
    }
    return true;
}

/* What an earlier run had applied comes again after a restart: until it has, the target is ahead of the cursor. */
static bool is_past_lanes(const Meet *meet, const MeetCursor *cursor)
{
    return (cursor->record != NULL ? cursor->record->begin.commit_lsn : cursor->received) > meet->lanes;
}

/* Between two transactions, with S. */
static Step go(Meet *meet, const MeetCursor *cursor)
{
    if (cursor->record == NULL) {
        if (cursor->received < meet->snapshot.end) {
            return STEP_TOOK;
        }
    } else {
        const BeginRecord *begin = &cursor->record->begin;
        if (snapshot_sees(&meet->snapshot, begin->xid, begin->commit_lsn)) {
            return STEP_TOOK;
        }
        if (begin->commit_lsn < meet->snapshot.end) {
            meet->state = MEET_LOOKING;
            meet->knows_rest = false;
            return STEP_LOOKS_AHEAD;
        }
    }
    meet->state = MEET_SETTLING;
    return STEP_NEEDS_QUIET;
}

static Step look_ahead(Meet *meet, const MeetCursor *cursor)
{
    if (cursor->full) {
        refuse(meet, "what came behind did not fit into the applier's memory");
        return STEP_HELD;
    }
    return STEP_LOOKS_AHEAD;
}

static Step settle(Meet *meet, const MeetCursor *cursor)
{
    if (!cursor->quiet) {
        return STEP_NEEDS_QUIET;
    }
    meet->state = MEET_REACHED;
    move(meet, POINT_TAKEN, POINT_REACHED, 0, NULL);
    return STEP_HELD;
}

Step meet_step(Meet *meet, const MeetCursor *cursor)
{
    if (meet->moving) {
        return STEP_HELD;
    }
    if (meet->in_transaction || (cursor->record != NULL && cursor->record->kind != RECORD_BEGIN)) {
        return STEP_TOOK;
    }
    switch (meet->state) {
    case MEET_NOTHING:
        break;
    case MEET_WANTED:
        if (is_past_lanes(meet, cursor)) {
            meet->state = MEET_STANDING;
            meet->since_usec = cursor->now_usec;
            move(meet, POINT_WANTED, POINT_HELD, 0, NULL);
            return STEP_HELD;
        }
        break;
    case MEET_GOING:
        return go(meet, cursor);
    case MEET_LOOKING:
        return look_ahead(meet, cursor);
    case MEET_SETTLING:
        return settle(meet, cursor);
    case MEET_STANDING:
    case MEET_REACHED:
        return STEP_HELD;
    }
    return STEP_TOOK;
}

static void look_at(Meet *meet, const DecodedFrame *frame, size_t first, Lsn keepalive)
{
    if (meet->state != MEET_LOOKING) {
        return;
    }
    bool past = keepalive >= meet->snapshot.end;
    for (size_t i = first; frame != NULL && i < frame->count && !past; i++) {
        if (frame->records[i].kind != RECORD_BEGIN) {
            continue;
        }
        const BeginRecord *begin = &frame->records[i].begin;
        past = begin->commit_lsn >= meet->snapshot.end;
        if (!past && snapshot_sees(&meet->snapshot, begin->xid, begin->commit_lsn)) {
            refuse(meet, "a transaction that it does not see comes before one that it sees");
            return;
        }
    }
    meet->state = past ? MEET_SETTLING : MEET_LOOKING;
}

void meet_rest(Meet *meet, const DecodedFrame *frame, size_t record)
{
    meet->knows_rest = true;
    look_at(meet, frame, record, LSN_INVALID);
}

void meet_ahead(Meet *meet, const DecodedFrame *frame, Lsn keepalive)
{
    look_at(meet, frame, 0, keepalive);
}

void meet_passed(Meet *meet, const Record *record)
{
    if (record->kind == RECORD_BEGIN) {
        meet->in_transaction = true;
        meet->passed[meet->passed_count++ % MEET_PASSED] = record->begin.xid;
    } else if (record->kind == RECORD_COMMIT) {
        meet->in_transaction = false;
    }
}

/* Answers. */

static void take_snapshot(Meet *meet, const StreamPoint *point)
{
    snapshot_free(&meet->snapshot);
    meet->snapshot = point->snapshot;
    if (sees_all_passed(meet)) {
        meet->state = MEET_GOING;
    } else {
        refuse(meet, "a transaction that is on the target already was not yet visible at the source");
    }
}

/* Takes over the snapshot of *point when it is one. */
static void take_state(Meet *meet, StreamPoint *point, uint64_t now_usec)
{
    bool same = point->number == meet->number;
    if (meet->state == MEET_NOTHING || meet->state == MEET_WANTED) {
        meet->state = point->state == POINT_WANTED ? MEET_WANTED : MEET_NOTHING;
        meet->number = point->number;
        meet->limit_ms = point->limit_ms;
    } else if (!same || point->state == POINT_GIVEN_UP) {
        forget(meet); /* another one is wanted, or this one no more */
    } else if (meet->state == MEET_STANDING && point->state == POINT_TAKEN) {
        take_snapshot(meet, point);
        point->snapshot = (Snapshot){0};
    } else if (meet->state == MEET_REACHED && point->state == POINT_RELEASED) {
        move(meet, POINT_RELEASED, POINT_OVER, stood_ms(meet, now_usec), NULL);
    }
}

static void take_move(Meet *meet, const Question *question)
{
    meet->moving = false;
    if (question->point_to == POINT_OVER || question->point_to == POINT_GIVEN_UP) {
        log_line(meet->log, LOG_DEBUG, "stood for %.1f ms to be compared: %s", question->point.held_ms,
                 question->point_to == POINT_OVER ? "done" : question->reason);
        forget(meet);
    } else if (!question->noted) {
        forget(meet); /* whoever wanted it has given it up, or wants another one */
    }
}

void meet_answered(Meet *meet, Question *question, uint64_t now_usec)
{
    if (question->kind == MOVE_POINT) {
        take_move(meet, question);
        return;
    }
    meet->asking = false;
    if (!meet->moving) {
        take_state(meet, &question->point, now_usec);
    }
}
