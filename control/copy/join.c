#include "join.h"

#include <string.h>

#include "clock.h"
#include "copiers.h"
#include "governor.h"
#include "lock.h"
#include "queue.h"
#include "session.h"

#define LOOK_SECONDS 1
#define PAUSE_MS 200

typedef struct Join {
    WorkerYard yard; /* first: what the workers get is the whole of this */
    Governor *governor;
    int64_t id;
    double looked_at;
} Join;

static int look(Join *join, Error *error)
{
    Database *target = join->yard.copy->target;
    if (clock_seconds() - join->looked_at < LOOK_SECONDS) {
        return 0;
    }
    join->looked_at = clock_seconds();
    return copier_beat(target, join->id, &join->yard, error) == 0 && yard_watch(&join->yard, error) == 0
               ? governor_tick(join->governor, error)
               : -1;
}

static int idle(void *context, Error *error)
{
    Join *join = context;
    progress_tick(join->yard.copy->progress);
    return look(join, error);
}

/* The source is the one that the copy was begun from, and the copy has not come to its end. */
static int check(Copy *copy, const Migration *found, Error *error)
{
    if (load_migration(copy->settings, copy->target, &copy->migration, error) != 0) {
        return -1;
    }
    if (strcmp(copy->migration.source_system, found->source_system) != 0 ||
        strcmp(copy->migration.source_database, found->source_database) != 0) {
        error_set(error, ERROR_STATE, "migration \"%s\" is copied from database %s of another system",
                  copy->migration.name, copy->migration.source_database);
        return error_hint(error, "join it with the --source that it was begun with");
    }
    return copy->migration.phase == PHASE_CREATED || copy->migration.phase == PHASE_COPYING
               ? 0
               : error_set(error, ERROR_STATE, "migration \"%s\" is %s: there is nothing left to copy",
                           copy->migration.name, state_phase_name(copy->migration.phase));
}

static int wait_for_queue(Copy *copy, Error *error)
{
    double start = clock_seconds();
    for (;;) {
        char event[16];
        if (queue_step_event(copy->target, copy->settings->migration, "plan", event, error) != 0) {
            return -1;
        }
        if (strcmp(event, "done") == 0) {
            return 0;
        }
        if (interrupted()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while the copy is planned");
        }
        if (clock_seconds() - start > copy->options->stall_timeout) {
            error_set(error, ERROR_LIMIT, "there is nothing to copy yet, after %d s",
                      copy->options->stall_timeout);
            return error_hint(error, "penstock copy without --join makes the schema and plans the work");
        }
        progress_note(copy->progress, "waiting for the copy to be planned");
        clock_pause_ms(PAUSE_MS);
    }
}

static int work_joined(Copy *copy, Error *error)
{
    Join join = {.yard = {.copy = copy}};
    Error ignored;
    int status = snapshots_new_joined(copy, &join.yard.stop, &join.yard.snapshots, error);
    if (status == 0) {
        status = copier_enter(copy->target, copy->settings->migration, &join.id, error);
    }
    if (status == 0) {
        yard_fill(&join.yard);
        join.governor = yard_governor(&join.yard);
        status = yard_work(&join.yard, idle, error);
        session_last_words(copy->target);
        (void)!copier_leave(copy->target, join.id, &ignored);
        governor_free(join.governor);
        yard_clear(&join.yard);
    }
    snapshots_free(join.yard.snapshots);
    return status;
}

int join_run(Copy *copy, const Migration *found, Error *error)
{
    if (check(copy, found, error) != 0) {
        return -1;
    }
    progress_phase(copy->progress, "data");
    return wait_for_queue(copy, error) == 0 ? work_joined(copy, error) : -1;
}
