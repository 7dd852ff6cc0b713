/*
 * A Pairs from the inside: pairs.c keeps the pairs, matched.c makes one while an applier works.
 */
#pragma once

#include <pthread.h>

#include "exported.h"
#include "follower.h"
#include "pairs.h"

struct Pairs {
    PairsOptions options;
    pthread_mutex_t mutex;
    Follower *follower;
    Database *state;  /* on the target */
    Database *marker; /* on the source */
    Database *holders
        [2]; /* of the source's and the target's snapshot, in their transactions; NULL: there is no pair */
    char exported[2][EXPORTED_SIZE];
    double made_at, looked_at;
    PairsWork work; /* to be done at the next point, or NULL */
    void *work_context;
    PairsSummary summary;
};

/* Tells the others of a new pair, and asks whether one of them wants another. */
int shared_publish(const Pairs *pairs, Error *error) MUST_CHECK;
int shared_is_wanted(const Pairs *pairs, bool *wanted, Error *error) MUST_CHECK;

/* The other side: adopts the newest pair that was published, waiting for one as long as somebody makes them. */
int shared_adopt(Pairs *pairs, Database *source, Database *target, int *number, Error *error) MUST_CHECK;

/* Asks for a later one than that. */
int shared_want(const Pairs *pairs, int number, Error *error) MUST_CHECK;

/* Fills holders and exported with a matched pair; what stands in work is done at its point. */
int matched_take(Pairs *pairs, Error *error) MUST_CHECK;
