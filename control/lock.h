/*
 * The lock by which only one command at a time works on a migration, and the migration as commands read it.
 */
#pragma once

#include "command.h"
#include "state.h"

/*
 * Takes the migration's lock for role "control", until target is closed. The server keeps that of a command that has just
 * ended, or was killed, for a moment: it is tried for 5 seconds. ERROR_STATE, naming who has it, after that, or when a
 * signal asks to stop.
 */
int lock_control(Database *target, const char *migration, Error *error) MUST_CHECK;

/* state_load of the settings' migration; from then on the log says its phase. */
int load_migration(const Settings *settings, Database *target, Migration *out, Error *error) MUST_CHECK;
