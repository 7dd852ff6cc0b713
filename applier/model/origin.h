/*
 * Where the rows of a table on the target come from: from which snapshot each part of it was copied, or that it is not
 * there yet. A part is a range of the key's first column; a table that is copied whole has one, which is all of it.
 *
 * Immutable, as the relation that it belongs to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "bytes.h"
#include "snapshot.h"

typedef struct OriginPart {
    /* Keys from here up to the next part's: an integer, INT64_MIN for the first part, or bytes, none for the first part. */
    int64_t first_key;
    Bytes first_bytes; /* owned */
    int64_t job;       /* penstock.job.id that copies it; 0 for a whole table */
    bool copied;
    Snapshot snapshot; /* when it is copied */
} OriginPart;

typedef struct Origin {
    uint32_t column; /* of the source: the one that parts are ranges of; of no meaning with one part */
    bool
        by_bytes; /* keys have the order of the bytes of their binary format, else that of the integer that it is */
    size_t least,
        most;     /* bytes that this format has; others are of another type than the parts were made by */
    size_t count; /* at least 1 */
    OriginPart *parts;
} Origin;

static inline void origin_free(Origin *origin)
{
    for (size_t i = 0; origin != NULL && i < origin->count; i++) {
        snapshot_free(&origin->parts[i].snapshot);
        free((void *)(uintptr_t)origin->parts[i].first_bytes.data);
    }
    if (origin != NULL) {
        free(origin->parts);
    }
    free(origin);
}
