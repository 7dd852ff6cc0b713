/*
 * Carrying the rows of a COPY from one connection to another.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "session.h"

typedef struct RelayCount {
    int64_t rows; /* as both servers count them */
    int64_t bytes;
} RelayCount;

/*
 * source is in COPY OUT, target in COPY IN. Carries everything over and ends both COPYs. moving is raised by
 * the bytes carried as they go. wait->limit_seconds bounds the time without a byte. Memory: one chunk of 256
 * KiB, or one row where that is larger, on each side. After an error both connections are to be closed.
 */
int relay_rows(Database *source, Database *target, const SessionWait *wait, _Atomic int64_t *moving,
               RelayCount *out, Error *error) MUST_CHECK;
