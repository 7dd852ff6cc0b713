/*
 * A position in the stream: the commit record of a transaction and the number of a change in it (from 1). Decoding
 * the same WAL again gives the same positions, so one names a change for ever. Positions of one stream only grow.
 */
#pragma once

#include <stdint.h>

#include "lsn.h"

typedef struct Position {
    Lsn commit_lsn;
    uint64_t sequence;
} Position;

static inline int position_compare(Position a, Position b)
{
    if (a.commit_lsn != b.commit_lsn) {
        return a.commit_lsn < b.commit_lsn ? -1 : 1;
    }
    if (a.sequence != b.sequence) {
        return a.sequence < b.sequence ? -1 : 1;
    }
    return 0;
}
