/*
 * Where the settings of a run come from: flag, else environment, else config file, else the default.
 *
 *     setting    flag         environment          config file
 *     source     --source     PENSTOCK_SOURCE      source = …
 *     target     --target     PENSTOCK_TARGET      target = …
 *     migration  --migration  PENSTOCK_MIGRATION   migration = …
 *     log-format --log-format PENSTOCK_LOG_FORMAT  log-format = …
 *
 * One table in settings.c holds these rows. The file is --config FILE or one of those that config.h names; there may be
 * options of commands in it, too.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "arena.h"
#include "command.h"
#include "config.h"

enum { SETTING_SOURCE, SETTING_TARGET, SETTING_MIGRATION, SETTING_LOG_FORMAT, SETTINGS };

/* What the command line said. Zeroed before parsing. */
typedef struct SettingsFlags {
    const char *values[SETTINGS]; /* NULL: not given */
    const char *config;
    bool json;
    bool verbose;
    bool quiet;
    bool password_shown; /* a password stood on the command line, and has been overwritten there */
} SettingsFlags;

/*
 * Parses the options that every command takes, as a child of each command's argp. Its input is a
 * SettingsInput. The value of an option that holds a password is overwritten in argv, so that the process
 * list does not go on showing it.
 */
extern const struct argp settings_argp;

typedef struct SettingsInput {
    SettingsFlags *flags;
    Arena *arena; /* keeps the values */
} SettingsInput;

/* Their names in the config file, by number. */
extern const char *const settings_names[SETTINGS];

/*
 * Fills *out; its strings are those of flags, config and the environment, and its log says place, which outlives it, in every line.
 * Where it fails, out's log can be used all the same.
 */
int settings_resolve(const SettingsFlags *flags, const Config *config, LogPlace *place, Settings *out,
                     Error *error) MUST_CHECK;

/* True when connection string text holds a password. */
bool settings_has_password(const char *text);

/* The candidate that begins with word, else the closest by edit distance (count of them, not 0). */
const char *settings_nearest(const char *word, const char *const *candidates, size_t count);
