/*
 * Takes a batch apart by lanes, where it has too many tables for one target transaction: each part has all changes of its
 * lanes, and they are of one worker, which applies them one after the other. Pure.
 *
 *     batch of a worker   r1 s1 t1 r2 u1 t2 …      lanes 0 {r, u}   2 {s}   4 {t}
 *     part                r1 r2 u1 s1 …            lanes 0, 2
 *     part                t1 t2 …                  lane 4
 *
 * So the changes of many transactions come together table by table, and a table is opened once for all that it gets.
 */
#pragma once

#include "batch.h"

typedef struct SplitLimits {
    size_t tables; /* of a part, unless one lane has more; 0: any number */
    size_t locks;  /* the same */
    size_t bytes;  /* of values, the same; a batch that has less than twice as much stays together */
} SplitLimits;

/* True when the batch passes the limits and can be taken apart. */
bool split_wanted(const Batch *batch, const SplitLimits *limits);

/*
 * Takes the batch apart; its changes are in the parts then, and it is freed. *parts is an array of the caller's, and so are its
 * *count entries, in the order in which they have to be applied. The last one has the batch's number, those before it the
 * number of the batch before: whoever waits for the batch waits for all of it.
 */
void split_batch(Batch *batch, int lanes, int workers, const SplitLimits *limits, Batch ***parts,
                 size_t *count);
