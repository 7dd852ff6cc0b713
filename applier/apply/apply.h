/*
 * Batches as target transactions: the part of a worker that has no thread in it.
 */
#pragma once

#include "fallback.h"
#include "log.h"
#include "policy.h"
#include "session.h"

typedef struct Applying {
    Session *session;
    Arena *arena; /* for the batch under way; reset by apply_batch */
    const char *migration;
    int64_t epoch; /* of the lanes: see state_take_lanes */
    const Policies *policies;
    size_t copy_rows; /* so many inserts of one relation go by COPY, if it is copyable */
    const Log *log;
    /* Waits; false when the worker is to stop. */
    bool (*pause)(void *context, unsigned milliseconds);
    void *context;
    Fallbacks fallbacks;
    bool open; /* a batch that does not commit left its transaction open */
} Applying;

/* Applies batch and, if it commits, ends the transaction: 0 means it is durable then. */
int apply_batch(Applying *applying, Batch *batch, Error *error) MUST_CHECK;
