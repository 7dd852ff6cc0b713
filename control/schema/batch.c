/*
 * A query of several statements in which one cannot be parsed runs none of them (build.c): where not even the first was made, the
 * others are not tried together again.
 */
#include "batch.h"

#include <string.h>

#include "clock.h"

#define MOST_BYTES ((size_t)64 * 1024)
#define FIRST 4
#define SOON_MS 250
#define LATE_MS 500

/* The next one may be larger, or is to be smaller. */
static void learn(Batch *batch, int64_t ms)
{
    if (ms < SOON_MS && batch->most < BATCH_MOST) {
        batch->most *= 2;
    } else if (ms > LATE_MS && batch->most > 1) {
        batch->most /= 2;
    }
}

int batch_flush(Batch *batch, Error *error)
{
    size_t count = batch->count;
    int64_t began = clock_ms();
    bool together = true;
    batch->count = batch->bytes = 0;
    for (size_t at = 0; at < count;) {
        size_t made = 0;
        together = together && count - at > 1;
        if (together &&
            builder_make_several(batch->builder, batch->objects + at, count - at, &made, error) != 0) {
            return -1;
        }
        together = together && made > 0;
        at += made;
        if (at < count && batch->make(batch->context, batch->objects[at], batch->numbers[at], error) != 0) {
            return -1;
        }
        at++;
    }
    if (count > 0) {
        learn(batch, clock_ms() - began);
    }
    return 0;
}

int batch_add(Batch *batch, const SchemaObject *object, size_t number, bool alone, Error *error)
{
    size_t bytes = object->sql != NULL ? strlen(object->sql) : 0;
    batch->most = batch->most > 0 ? batch->most : FIRST;
    bool full = batch->count >= batch->most || batch->bytes + bytes > MOST_BYTES;
    if ((alone || full) && batch_flush(batch, error) != 0) {
        return -1;
    }
    if (alone) {
        return batch->make(batch->context, object, number, error);
    }
    batch->objects[batch->count] = object;
    batch->numbers[batch->count++] = number;
    batch->bytes += bytes;
    return 0;
}
