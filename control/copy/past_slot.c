#include "past_slot.h"

#include <stdlib.h>

#include "clock.h"
#include "session.h"
#include "slot.h"
#include "snapshot.h"

#define PAUSE_MS 50

/* One try, in the place of the last one's. */
static int take(Database *holder, char exported[EXPORTED_SIZE], char **seen, Error *error)
{
    free(*seen);
    *seen = NULL;
    return exported_take(holder, seen, exported, error);
}

static int is_past(const PastSlot *wanted, const char *seen, bool *past, Error *error)
{
    char *first = NULL;
    Snapshot snapshot;
    *past = true;
    if (wanted->known) {
        return 0;
    }
    if (snapshot_parse(seen, LSN_INVALID, &snapshot, error) != 0) {
        return -1;
    }
    int status = database_value(wanted->target, &first, error,
                                "SELECT first_xid FROM penstock.migration WHERE name = $1", 1,
                                wanted->copy->settings->migration);
    *past = first == NULL || snapshot_is_past(&snapshot, strtoull(first, NULL, 10));
    snapshot_free(&snapshot);
    free(first);
    return status;
}

int past_slot_take(const PastSlot *wanted, Database *holder, char exported[EXPORTED_SIZE], char **seen,
                   Error *error)
{
    const Copy *copy = wanted->copy;
    double start = clock_seconds();
    const SlotWait wait = {
        .what = wanted->what, .timeout_seconds = copy->options->slot_timeout, .progress = copy->progress};
    const SessionWait stop = {.stop = wanted->stop, .what = "a snapshot was taken"};
    *seen = NULL;
    for (;;) {
        bool past = false;
        if (take(holder, exported, seen, error) != 0 || is_past(wanted, *seen, &past, error) != 0) {
            break;
        }
        if (past) {
            progress_note(copy->progress, "%s", "");
            return 0;
        }
        if (database_execute(holder, error, "ROLLBACK", 0) != 0 || session_stopped(&stop, error) != 0 ||
            slot_check_wait(holder, &wait, start, error) != 0) {
            break;
        }
        clock_pause_ms(PAUSE_MS);
    }
    free(*seen);
    *seen = NULL;
    return -1;
}
