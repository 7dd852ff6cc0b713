/*
 * Standing still where the target has exactly what a snapshot of the source sees, for as long as it takes to take a snapshot
 * of the target there: so both sides can be compared while both are written (state/point.h has the states of a point).
 *
 *     meet_open ──► meet_look by a timer; meet_step before each record; meet_passed behind it ──► … ──► meet_close
 *                                  the resolver answers (wake) ──► meet_answered
 *
 * The applier never stands for longer than the point's limit, whoever has died. Event loop only.
 */
#pragma once

#include "frame.h"
#include "log.h"
#include "resolver.h"
#include "step.h"

typedef enum MeetState {
    MEET_NOTHING,
    MEET_WANTED,   /* stands as soon as it may */
    MEET_STANDING, /* for a snapshot of the source */
    MEET_GOING,    /* on, through what that sees */
    MEET_LOOKING,  /* before a transaction that it does not see, for one behind that it does see */
    MEET_SETTLING, /* it fits: all that was passed is being made durable */
    MEET_REACHED,  /* until the target's snapshot is taken */
} MeetState;

/* Transactions that were passed last: one may be in the stream before a snapshot sees it. */
#define MEET_PASSED 32768

typedef struct Meet {
    Resolver *resolver; /* borrowed */
    const Log *log;
    Lsn lanes; /* where the lane that was furthest began this run */
    MeetState state;
    int64_t number; /* of the point, and its members */
    int limit_ms;
    Snapshot snapshot;
    uint64_t since_usec; /* when it began to stand */
    bool asking;         /* the state is asked for */
    bool moving;         /* a move is being noted: nothing is passed meanwhile */
    bool knows_rest;     /* looking ahead, it was shown what had been read already */
    bool in_transaction; /* the cursor is within one */
    uint32_t passed[MEET_PASSED];
    size_t passed_count; /* since the start of the run */
} Meet;

/* lanes: the commit of the transaction that the furthest lane stands in. */
void meet_open(Meet *meet, Resolver *resolver, Lsn lanes, const Log *log);
void meet_close(Meet *meet);

/* A point is on its way: meet_look wants to be called often. */
static inline bool meet_is_busy(const Meet *meet)
{
    return meet->state != MEET_NOTHING || meet->moving;
}

/* The source has to be asked how far it has sent. */
static inline bool meet_wants_answer(const Meet *meet)
{
    return meet->state == MEET_WANTED || meet->state == MEET_GOING || meet->state == MEET_LOOKING;
}

/* Asks what is wanted, and ends a stand that has taken too long. */
void meet_look(Meet *meet, uint64_t now_usec);

/* Where the cursor is, for meet_step. */
typedef struct MeetCursor {
    const Record *record; /* the next one; NULL: nothing is left of what was read */
    Lsn received;         /* the source has sent all that ends here */
    bool quiet;           /* and does, with nothing under way */
    bool full;            /* memory is */
    uint64_t now_usec;
} MeetCursor;

/*
 * May the cursor go on? STEP_TOOK, STEP_HELD, STEP_NEEDS_QUIET, or STEP_LOOKS_AHEAD: more messages are to be read without
 * being passed, and given to meet_ahead.
 */
Step meet_step(Meet *meet, const MeetCursor *cursor);

/* Looking ahead begins with what has been read already: the cursor's own frame by meet_rest, then messages behind it. */
static inline bool meet_wants_rest(const Meet *meet)
{
    return !meet->knows_rest;
}
void meet_rest(Meet *meet, const DecodedFrame *frame, size_t record);

/* A message that was read ahead of the cursor: its frame, or a keepalive's position. */
void meet_ahead(Meet *meet, const DecodedFrame *frame, Lsn keepalive);

/* The record was scheduled. */
void meet_passed(Meet *meet, const Record *record);

/* An answer to ASK_POINT or MOVE_POINT. */
void meet_answered(Meet *meet, Question *question, uint64_t now_usec);
