/*
 * Sealing: the inflated bytes of a Batch become a Frame, compressed with the history of the frames before.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "wire.h"

typedef struct Seal {
    WireCodec codec;
    struct ZSTD_CCtx_s *zstd; /* NULL without compression */
    uint64_t frames;          /* sealed so far */
    Buffer out;
} Seal;

int seal_init(Seal *seal, WireCodec codec, int level, Error *error) MUST_CHECK;
void seal_free(Seal *seal);

/*
 * *frame borrows from seal until the next call. A seal that failed while compressing has lost its stream and
 * must not be used again. Memory beyond keep bytes is given back at the next call.
 */
int seal_frame(Seal *seal, Bytes batch, bool open, size_t keep, Bytes *frame, Error *error) MUST_CHECK;

size_t seal_footprint(const Seal *seal);
