#include "lane_move.h"

#include <stdio.h>
#include <string.h>

void lane_move_write(const Batch *batch, const char *migration, int64_t epoch, LaneMove *out)
{
    *out = (LaneMove){0};
    for (int i = 0; i < batch->lane_count; i++) {
        text_printf(&out->lanes, "%c%d", i == 0 ? '{' : ',', batch->lanes[i]);
        text_printf(&out->moves, "%c%lld", i == 0 ? '{' : ',', (long long)batch->moves[i]);
    }
    text_array_end(&out->lanes);
    text_array_end(&out->moves);
    snprintf(out->sequence, sizeof out->sequence, "%llu", (unsigned long long)batch->last.sequence);
    snprintf(out->epoch, sizeof out->epoch, "%lld", (long long)epoch);
    snprintf(out->time, sizeof out->time, "%lld", (long long)batch->last_time);
    const char *const values[LANE_MOVE_VALUES] = {
        migration,      out->lanes.data, lsn_format(batch->last.commit_lsn, out->lsn),
        out->sequence,  out->epoch,      batch->last_time != 0 ? out->time : NULL,
        out->moves.data};
    memcpy(out->values, values, sizeof values);
}

void lane_move_free(LaneMove *move)
{
    text_free(&move->lanes);
    text_free(&move->moves);
}
