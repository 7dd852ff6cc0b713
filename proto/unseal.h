/*
 * Unsealing: a Frame becomes the inflated bytes of its Batch.
 */
#pragma once

#include "arena.h"
#include "bytes.h"
#include "error.h"
#include "wire_limits.h"

typedef struct Unseal {
    struct ZSTD_DCtx_s *zstd;
    size_t max_raw_size;
    uint32_t codec;                  /* of the connection */
    uint64_t frames;                 /* opened so far */
    uint8_t small[SMALL_BATCH_SIZE]; /* where a frame that does not say its size is inflated to */
} Unseal;

int unseal_init(Unseal *unseal, size_t max_raw_size, Error *error) MUST_CHECK;
void unseal_free(Unseal *unseal);

/* *batch lies in arena, never in frame. */
int unseal_frame(Unseal *unseal, Bytes frame, Arena *arena, Bytes *batch, bool *open,
                 Error *error) MUST_CHECK;
