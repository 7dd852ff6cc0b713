/*
 * Where the settings of a run come from: flag, else environment, else config file, else the default.
 *
 *     setting    flag         environment          config file
 *     source     --source     PENSTOCK_SOURCE      source = …
 *     target     --target     PENSTOCK_TARGET      target = …
 *     migration  --migration  PENSTOCK_MIGRATION   migration = …
 *
 * One table in settings.c holds these rows: the argp options, the help text, the lookups and the config
 * file's names come from it. The file is --config FILE, else PENSTOCK_CONFIG, else ./penstock.conf, else ~/.config/penstock.conf,
 * where there is one: lines `name = value`, empty lines, and comments from # to the end of a line that starts
 * with it.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "arena.h"
#include "command.h"

enum { SETTING_SOURCE, SETTING_TARGET, SETTING_MIGRATION, SETTINGS };

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

/* Fills *out; its strings live in arena or in flags. */
int settings_resolve(const SettingsFlags *flags, Arena *arena, Settings *out, Error *error) MUST_CHECK;

/* True when connection string text holds a password. */
bool settings_has_password(const char *text);

/* The candidate that begins with word, else the closest by edit distance (count of them, not 0). */
const char *settings_nearest(const char *word, const char *const *candidates, size_t count);
