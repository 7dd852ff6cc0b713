/*
 * Matched pairs of snapshots, one after the other: each of the source and of the target, such that the target's has exactly
 * what the source's sees, although both sides are written.
 *
 *     pairs_new ──► pairs_adopt for each piece of work, on any thread ──► pairs_free
 *
 * A pair is replaced when it is as old as a cycle. Making one holds the applier for some milliseconds (state/point.h), whatever
 * transactions run at the source; after a switch, when no applier works, it takes two snapshots between which nothing happened.
 * A snapshot holds back vacuum for as long as it is exported or somebody reads under it: a cycle, and a piece of work.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "database.h"

typedef struct Pairs Pairs;

typedef struct PairsOptions {
    const Settings *settings; /* borrowed */
    bool switched;            /* no applier: the way back streams, or both sides stand still */
    const char *pass;         /* borrowed: whose pairs others take over; see pairs_tick */
    bool joined;              /* another process makes the pairs, and this one takes them over */
    int cycle;                /* seconds */
    int limit_ms;             /* for which an applier may be held */
    bool (*stop)(void);
} PairsOptions;

/* How the pairs were. */
typedef struct PairsSummary {
    int count;
    double longest_hold_ms; /* of the applier */
    int refused;            /* snapshots of the source whose transactions came in another order */
    char first_point[24];   /* LSN of the source: what committed there or behind is not in the first … */
    char last_point[24];    /* … or the last */
} PairsSummary;

int pairs_new(const PairsOptions *options, Pairs **out, Error *error) MUST_CHECK;
void pairs_free(Pairs *pairs);

/*
 * Opens read-only transactions under one pair on both connections, and says which: *number counts from 1. Waits, bounded,
 * where a new pair has to be made. ERROR_STATE, with what to do, when no point can be had.
 */
int pairs_adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error) MUST_CHECK;

/*
 * What is done at a point, while the applier stands: both sides have to hold the same there, but for what is wrong. exported is
 * the source's snapshot. The work locks the point's row (pairs_lock_point) in the transaction that changes the target, and
 * commits that itself.
 */
typedef int (*PairsWork)(void *context, const char *exported, int64_t point, Error *error);

/* Takes a new pair, and does the work at its point: the pair sees what came of it. Not after a switch. */
int pairs_at_point(Pairs *pairs, PairsWork work, void *context, Error *error) MUST_CHECK;

/*
 * In the transaction that changes the target: *stands says that the applier stands at that point, and it goes on standing there
 * until the transaction has ended, whatever its limit.
 */
int pairs_lock_point(Database *target, const char *migration, int64_t point, bool *stands,
                     Error *error) MUST_CHECK;

/*
 * Now and then, on the thread that connections of the caller belong to: a pair that is as old as a cycle goes, and another is made
 * when a process that compares along needs it.
 */
int pairs_tick(Pairs *pairs, Error *error) MUST_CHECK;

/* The next adopt takes a later pair than this one. */
void pairs_renew(Pairs *pairs, int number);

void pairs_summary(Pairs *pairs, PairsSummary *out);
