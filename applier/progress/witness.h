/*
 * Is the stream the one that the lanes come from? A lane's position names a transaction of the source by the place and
 * time of its commit. One that the source sends again after a restart must be there as it was; when the stream passes
 * the place without it, the source's WAL is another one: the server was restored, or started from a copy of its folder,
 * on the same timeline, and what has been written since would be left out as durable already.
 *
 * The place alone would not do: a server that was set back and does the same again writes records of the same size.
 *
 * Pure, one thread. First witness_new, then each begin and each position that the stream has passed, in order.
 */
#pragma once

#include <stddef.h>

#include "batch.h"
#include "error.h"

typedef struct Witness Witness;

/* A transaction that some lane stands at. */
typedef struct Witnessed {
    Lsn commit_lsn;
    int64_t commit_time; /* microseconds since 2000-01-01 */
} Witnessed;

/*
 * known: what lanes stand at, in any order, several times perhaps; copied. start: transactions whose commit record lies
 * before it are not sent.
 */
Witness *witness_new(const Witnessed *known, size_t count, Lsn start);
void witness_free(Witness *witness);

/* A transaction begins. ERROR_STATE when another one should have come before it, or it is not what it was. */
int witness_begin(Witness *witness, Lsn commit_lsn, int64_t commit_time, Error *error) MUST_CHECK;

/* All that ends at or before lsn has come. ERROR_STATE when something is missing. */
int witness_passed(Witness *witness, Lsn lsn, Error *error) MUST_CHECK;

/*
 * The commit time of the transaction that batch->last is in: the one that began last, or the one before it. 0 before the
 * first.
 */
int64_t witness_time(const Witness *witness, const Batch *batch);
