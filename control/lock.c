/*
 * Trying again, instead of waiting in the server: an answer to Ctrl-C, and no queue behind a cutover that runs for long.
 */
#include "lock.h"

#include "clock.h"

#define PATIENCE_MS 5000
#define LOOK_AGAIN_MS 50

int lock_control(Database *target, const char *migration, Error *error)
{
    for (int64_t deadline = clock_ms() + PATIENCE_MS;; clock_pause_ms(LOOK_AGAIN_MS)) {
        if (state_lock(target, migration, "control", error) == 0) {
            return 0;
        }
        if (error->code != ERROR_STATE || clock_ms() > deadline || interrupted()) {
            return -1;
        }
    }
}

int load_migration(const Settings *settings, Database *target, Migration *out, Error *error)
{
    if (state_load(target, settings->migration, out, error) != 0) {
        return -1;
    }
    log_stands(&settings->log, state_phase_name(out->phase), 0);
    return 0;
}
