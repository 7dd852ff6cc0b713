/*
 * An error that is not in the table is waited out for as long as --retry-limit says: a server that is gone comes back, a disk
 * is given room, connections become free. Out of locks or memory is what the batch itself needs; the next try is with less
 * (supervisor.c), and when that has come down to a single table, more of the same is no use.
 */
#include "retry.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *sqlstate;
    int times;
    const char *cure;
} limited[] = {
    {"53200", 6,
     "Batches of one table did not fit either. Raise max_locks_per_transaction of the target (it takes a "
     "restart of that "
     "server), or end the session that has so many locks: SELECT pid, count(*) FROM pg_locks GROUP BY 1 "
     "ORDER BY 2 DESC. If it is "
     "memory that is short, the target's log says of what. Then start again: nothing is lost."},
    {"53400", 3,
     "A limit of the target was passed (its message names it; temp_file_limit, perhaps). Raise it for the "
     "applier's user, "
     "then start again: nothing is lost."},
};

bool retry_again(Retry *retry, Error *error)
{
    for (size_t i = 0; i < sizeof limited / sizeof *limited; i++) {
        if (strcmp(error->sqlstate, limited[i].sqlstate) != 0) {
            continue;
        }
        retry->times = strcmp(retry->sqlstate, error->sqlstate) == 0 ? retry->times + 1 : 1;
        snprintf(retry->sqlstate, sizeof retry->sqlstate, "%s", error->sqlstate);
        if (retry->times >= limited[i].times) {
            error_hint(error, "%s", limited[i].cure);
            return false;
        }
        return true;
    }
    return true;
}

void retry_progress(Retry *retry)
{
    *retry = (Retry){0};
}
