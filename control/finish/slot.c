/*
 * The slot at the source. It is dropped by name, so first of all the server must be the one that the migration came
 * from: another one may well have a slot of that name.
 */
#include "finish.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

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

/*
 * *user: who uses the slot, or NULL when nobody does; *exists false when there is no slot. The caller frees *user. Where this
 * migration's went with the switch, another database's may have one of that name since.
 */
static int look_at_slot(Database *source, const char *slot, bool *exists, char **user, Error *error)
{
    PGresult *result = NULL;
    if (database_query(source, &result, error,
                       "SELECT CASE WHEN s.active THEN format('pid %s (%s, from %s)', s.active_pid, "
                       "coalesce(nullif(a.application_name, ''), 'no application name'), "
                       "coalesce(host(a.client_addr), 'a local socket')) END "
                       "FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid "
                       "WHERE s.slot_name = $1 AND s.database = current_database() AND s.plugin = 'penstock'",
                       1, slot) != 0) {
        return error_context(error, "looking for slot %s at the source", slot);
    }
    *exists = PQntuples(result) > 0;
    *user = *exists && !PQgetisnull(result, 0, 0) ? strdup(PQgetvalue(result, 0, 0)) : NULL;
    PQclear(result);
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

/* Waits until nobody uses the slot. */
static int wait_until_free(Database *source, const char *slot, int seconds, bool *exists, Error *error)
{
    int64_t deadline = clock_ms() + (int64_t)seconds * 1000;
    for (;;) {
        char *user = NULL;
        if (look_at_slot(source, slot, exists, &user, error) != 0) {
            return -1;
        }
        if (user == NULL) {
            return 0;
        }
        bool over = interrupted() || clock_ms() >= deadline;
        int status = over ? give_up(slot, user, seconds, error) : 0;
        free(user);
        if (over) {
            return status;
        }
        clock_pause_ms(LOOK_AGAIN_MS);
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
    if (database_execute(source, error, "SELECT pg_drop_replication_slot($1)", 1, slot) != 0) {
        return error_context(error, "dropping slot %s at the source", slot);
    }
    *dropped = true;
    return 0;
}
