/*
 * Objects on their way to being made in one transaction, several in one way there and back to the target.
 *
 *     batch_add for each, in their order ──► batch_flush
 *
 * Objects that the server refuses, and those about which something is to be decided first, go one by one. Zeroed but for the first
 * three, a batch is empty. It holds at most 64 objects, or 64 kB of their statements.
 */
#pragma once

#include "build.h"

#define BATCH_MOST 64

typedef struct Batch {
    Builder *builder; /* in a transaction of builder_begin's */
    /* Makes the object of that number by itself, and does what a refusal takes. */
    int (*make)(void *context, const SchemaObject *object, size_t number, Error *error);
    void *context;
    const SchemaObject *objects[BATCH_MOST];
    size_t numbers[BATCH_MOST];
    size_t count, bytes;
    size_t most; /* objects of it, by how long the last ones took */
} Batch;

/* alone: it is made by itself, behind what is in the batch. object has to last until the batch is flushed. */
int batch_add(Batch *batch, const SchemaObject *object, size_t number, bool alone, Error *error) MUST_CHECK;

/* Makes what is in it. To be called before whatever else the transaction does. */
int batch_flush(Batch *batch, Error *error) MUST_CHECK;
