/*
 * A snapshot of the source's that is past every transaction that had begun when the slot was made: one whose commit record lies
 * before the slot's consistent point may not be visible yet (its flush, or a synchronous standby's answer, is outstanding), and
 * would be neither in the stream nor in the snapshot.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "copy.h"
#include "exported.h"

typedef struct PastSlot {
    const Copy *copy;
    Database *target;        /* for the state, of the calling thread */
    const char *what;        /* "the first snapshot": what waits, for who reads that it does */
    const atomic_bool *stop; /* or NULL */
    bool known;              /* any snapshot is by now: nothing is asked */
} PastSlot;

/*
 * Begins a read-only transaction on holder, a connection to the source, and exports its snapshot. exported is its name, *seen what
 * it sees, which the caller frees. Takes another one until it is past; ERROR_LIMIT, with whom it waits for, after the slot's
 * timeout.
 */
int past_slot_take(const PastSlot *wanted, Database *holder, char exported[EXPORTED_SIZE], char **seen,
                   Error *error) MUST_CHECK;
