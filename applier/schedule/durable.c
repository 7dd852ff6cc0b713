/*
 * Exactly once. (The rules of scheduler.c say in which order changes are applied; these follow from them.)
 *
 * 1. A batch writes its progress with its rows: every lane that it has changes of (every one at all, for a barrier) has
 *    everything up to `last`, the newest position scheduled when the batch was closed, because what these lanes got of it
 *    is in this batch or in an earlier one of the same worker. Lanes that it has nothing of stay where they are: what
 *    they lack then is nothing, and the source is asked for nothing below the low-water mark anyway.
 *    The lane's row is named by how often it has been moved, too: batches that move one lane are applied in the order in
 *    which they were closed (they are of one worker, or a barrier is between them), or the run ends.
 * 2. After a restart the stream comes again from the low-water mark, and a change at or below the position of its lane
 *    is left out. Lanes stand at different positions then, and the number of workers may be another; so a batch names
 *    only lanes that started below its `last`: none is ever moved back.
 * 3. An update that concerns two lanes has moved both or none: in one worker its batch moves both, else it was a barrier.
 *    So every later run finds both on the same side of it, whichever way lanes are dealt out then. Finding them apart
 *    means that someone else wrote the lanes: an error.
 * 4. A truncate is durable when its home lane says so. If it is, every change of its relations before it is durable, in
 *    whatever lane, because it waited for them; if it is not, none behind it is, because they wait. So it finds the same
 *    rows when it comes again, and its relations' changes are found durable or not as if it had been a barrier.
 *    Which lane is asked must not change between runs, while what the catalog says of a relation may: it waits to be
 *    copied again from some moment on, or was copied meanwhile. So the home is that of the first relation in the record,
 *    which the same WAL always gives.
 * 5. Which lane a change has depends on its relation's class. A class is changed only while all lanes stand at one point
 *    and nothing is under way (durable_even, scheduler_sync); then no lane has, or will get again, a change that it
 *    knew under the other class.
 *
 * What holds them: all of them together, test_exactly_once (streams, kills and numbers of workers by chance), t/071_kill9.pl and
 * t/130_random.pl on servers. By themselves, of test_scheduler and on servers:
 *
 *     1   t/072_two_appliers.pl (whoever moves a lane knows the epoch in which he has it)
 *     2   what_is_durable_is_left_out_after_a_restart, no_lane_is_moved_back          t/070_restart.pl
 *     3   key_change_across_workers_is_a_barrier, key_change_within_a_worker_is_no_barrier    t/079_many_tables_catch_up.pl
 *     4   truncate_is_durable_when_its_home_lane_says_so, truncate_asks_the_same_lane_when_its_first_table_is_left_out
 *         t/050_truncate.pl
 *     5   lanes_are_even_once_the_furthest_is_passed, sync_brings_all_lanes_to_one_point   t/111_lane_class.pl
 */
#include "durable.h"

#include <stdlib.h>
#include <string.h>

struct Durable {
    int lanes;
    int64_t *moves;   /* by lane: batches that were given out, and move it */
    Position least;   /* where the lane stood that was furthest behind */
    Position even_at; /* from here on no lane is ahead of what is scheduled */
    Position start[]; /* by lane */
};

/* The position of the lane that started furthest; zero when all started at one. */
static Position even_at(const Durable *durable)
{
    Position furthest = durable->start[0];
    bool equal = true;
    for (int lane = 1; lane < durable->lanes; lane++) {
        int order = position_compare(durable->start[lane], furthest);
        equal = equal && order == 0;
        furthest = order > 0 ? durable->start[lane] : furthest;
    }
    return equal ? (Position){0} : furthest;
}

Durable *durable_new(const Position *positions, int lanes)
{
    Durable *durable = calloc(1, sizeof *durable + (size_t)lanes * sizeof *durable->start);
    if (durable == NULL) {
        abort();
    }
    durable->lanes = lanes;
    durable->moves = calloc((size_t)lanes, sizeof *durable->moves);
    if (durable->moves == NULL) {
        abort();
    }
    memcpy(durable->start, positions, (size_t)lanes * sizeof *durable->start);
    durable->even_at = even_at(durable);
    durable->least = durable->start[0];
    for (int lane = 1; lane < lanes; lane++) {
        durable->least = position_compare(durable->start[lane], durable->least) < 0 ? durable->start[lane]
                                                                                    : durable->least;
    }
    return durable;
}

void durable_free(Durable *durable)
{
    if (durable != NULL) {
        free(durable->moves);
        free(durable);
    }
}

int durable_has(const Durable *durable, Position position, int lane, int other, bool *has, Error *error)
{
    *has = position_compare(position, durable->start[lane]) <= 0;
    if (*has == (position_compare(position, durable->start[other]) <= 0)) {
        return 0;
    }
    char lsn[LSN_TEXT_SIZE];
    error_set(error, ERROR_STATE,
              "lanes %d and %d stand on different sides of change %llu of the transaction at %s, "
              "which belongs to both",
              lane, other, (unsigned long long)position.sequence, lsn_format(position.commit_lsn, lsn));
    return error_hint(error, "penstock.lane was changed by something other than the applier: copy again.");
}

/* Rules 1 and 2. */
void durable_move(Durable *durable, Batch *batch, Position last)
{
    batch->last = last;
    batch->lanes = calloc((size_t)durable->lanes, sizeof *batch->lanes);
    batch->moves = calloc((size_t)durable->lanes, sizeof *batch->moves);
    if (batch->lanes == NULL || batch->moves == NULL) {
        abort();
    }
    bool all = batch->barrier || durable->lanes == 1;
    for (int lane = 0; lane < durable->lanes; lane++) {
        bool concerned = all || (batch->loads != NULL && batch->loads[lane].changes > 0);
        if (concerned && position_compare(durable->start[lane], last) < 0) {
            batch->moves[batch->lane_count] = durable->moves[lane]++;
            batch->lanes[batch->lane_count++] = lane;
        }
    }
}

bool durable_all(const Durable *durable, Position position)
{
    return position_compare(position, durable->least) <= 0;
}

bool durable_even(const Durable *durable, Position newest)
{
    return position_compare(newest, durable->even_at) >= 0;
}
