/*
 * The step that copies large objects. When it began the first time is written down before: a run after a crash brings what has
 * changed since then, and what is missing.
 */
#include "beside.h"
#include "large.h"

typedef struct Tending {
    Copy *copy;
    Beside beside;
    bool is_open;
    Error error; /* of what is done beside */
} Tending;

static void tend(void *context)
{
    Tending *tending = context;
    if (!tending->is_open) {
        progress_tick(tending->copy->progress);
    } else if (tending->error.code == ERROR_NONE &&
               beside_tend(&tending->beside, true, &tending->error) != 0) {
        progress_warn(tending->copy->progress, "%s", tending->error.message);
    }
}

static int bring(Copy *copy, Tending *tending, const char *since, Error *error)
{
    LargeResult result;
    const LargeRequest request = {.from_uri = copy->settings->source,
                                  .to_uri = copy->settings->target,
                                  .from = DATABASE_SOURCE,
                                  .to = DATABASE_TARGET,
                                  .jobs = copy->options->jobs,
                                  .owners = !copy->options->schema.no_owner,
                                  .grants = !copy->options->schema.no_privileges,
                                  .idle = tend,
                                  .context = tending};
    return large_bring(&request, since, &result, error) == 0
               ? large_save(copy->target, copy->settings->migration, result.since, NULL, error)
               : -1;
}

/* Where the copy takes several snapshots the stream goes on meanwhile. */
static int bring_beside(Copy *copy, const char *since, Error *error)
{
    Tending tending = {.copy = copy};
    if (beside_needed(copy, &tending.is_open, error) != 0 ||
        (tending.is_open && beside_open(copy, NULL, &tending.beside, error) != 0)) {
        return -1;
    }
    int status = bring(copy, &tending, since, error);
    if (status == 0 && tending.error.code != ERROR_NONE) {
        *error = tending.error;
        status = -1;
    }
    if (tending.is_open) {
        beside_close(&tending.beside);
    }
    return status;
}

int copy_step_large(Copy *copy, bool repeated, Error *error)
{
    LargeKnown known;
    char now[24];
    LargeLook look;
    (void)repeated;
    if (large_load(copy->target, copy->settings->migration, &known, error) != 0) {
        return -1;
    }
    if (copy->options->skip_large_objects) {
        if (large_look(copy->source, NULL, &look, error) == 0 && look.objects > 0) {
            progress_warn(copy->progress, "%lld large object%s behind, as --skip-large-objects says",
                          (long long)look.objects, look.objects == 1 ? " stays" : "s stay");
        }
        *error = (Error){0};
        return 0;
    }
    if (!known.known && (large_now(copy->source, now, error) != 0 ||
                         large_save(copy->target, copy->settings->migration, now, NULL, error) != 0)) {
        return -1;
    }
    return bring_beside(copy, known.known ? known.source : NULL, error);
}
