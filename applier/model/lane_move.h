/*
 * The parameters of state_lane_update_sql (state/state.h): the lanes of a batch, moved to its last position.
 */
#pragma once

#include <stdint.h>

#include "batch.h"
#include "lsn.h"
#include "text.h"

#define LANE_MOVE_VALUES 7

typedef struct LaneMove {
    const char *values[LANE_MOVE_VALUES]; /* of $1 …: they point to what follows, and to the migration */
    Text lanes, moves;
    char lsn[LSN_TEXT_SIZE], sequence[24], epoch[24], time[24];
} LaneMove;

/* migration is borrowed. The caller frees *out with lane_move_free, and cannot copy it. */
void lane_move_write(const Batch *batch, const char *migration, int64_t epoch, LaneMove *out);
void lane_move_free(LaneMove *move);
