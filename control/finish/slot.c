/*
 * The slot at the source: of the server that the migration came from, first of all, since another one may well have a slot of that
 * name; and ours there: where this migration's went with the switch, another database's may have one of that name since.
 */
#include "finish.h"

#include <string.h>

#include "clock.h"
#include "own_slot.h"

#define LOOK_AGAIN_MS 200

static int check_identity(Database *source, const Migration *migration, Error *error)
{
    char system[32];
    if (database_identify(source, system, error) != 0) {
        return error_context(error, "identifying the source");
    }
    if (strcmp(system, migration->source_system) != 0) {
        error_set(error, ERROR_STATE, "--source is not the server that migration \"%s\" came from",
                  migration->name);
        return error_hint(error, "Name that server, or give --skip-source if it is gone for good.");
    }
    return 0;
}

static int give_up(const char *slot, const char *user, int seconds, Error *error)
{
    if (interrupted()) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted while slot %s was in use by %s", slot, user);
    }
    error_set(error, ERROR_LIMIT, "slot %s has been in use by %s for %d s", slot, user, seconds);
    return error_hint(error, "Stop that process, then run this again.");
}

/* Waits until nobody uses the slot: whoever does is not ended. */
static int wait_until_free(Database *source, const char *name, int seconds, bool *exists, Error *error)
{
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
    for (;; clock_pause_ms(LOOK_AGAIN_MS)) {
        OwnSlot slot;
        if (own_slot_look(source, name, PLUGIN_THERE, &slot, error) != 0) {
            return error_context(error, "at the source");
        }
        *exists = slot.exists;
        if (!slot.active) {
            return 0;
        }
        if (interrupted() || clock_ms() >= deadline) {
            return give_up(name, slot.user, seconds, error);
        }
    }
}

int finish_slot(Database *source, const Migration *migration, int wait_seconds, bool *dropped, Error *error)
{
    const char *slot = migration->slot_name;
    bool exists = false;
    *dropped = false;
    if (check_identity(source, migration, error) != 0 ||
        wait_until_free(source, slot, wait_seconds, &exists, error) != 0) {
        return -1;
    }
    if (!exists) {
        return 0;
    }
    if (own_slot_drop_idle(source, slot, PLUGIN_THERE, error) != 0) {
        return error_context(error, "dropping slot %s at the source", slot);
    }
    *dropped = true;
    return 0;
}
