/*
 * The count starts at one, for decode itself. Taking a reference needs no ordering, because whoever takes one
 * has one already; dropping one does: what every holder did with the frame comes before the free.
 */
#include "frame.h"

DecodedFrame *frame_acquire(DecodedFrame *frame)
{
    atomic_fetch_add_explicit(&frame->references, 1, memory_order_relaxed);
    return frame;
}

void frame_release(DecodedFrame *frame)
{
    if (frame == NULL || atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    if (frame->account != NULL) {
        atomic_fetch_sub_explicit(frame->account, frame->footprint, memory_order_relaxed);
    }
    arena_free(frame->arena);
}
