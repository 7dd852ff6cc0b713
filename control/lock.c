/*
 * Trying again, instead of waiting in the server: an answer to Ctrl-C, and no queue behind a cutover that runs for long.
 */
#include "lock.h"

#include "clock.h"
#include "command.h"
#include "state.h"

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
