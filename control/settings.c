/*
 * Settings in layers. Nothing here connects anywhere or prints: it gathers strings, and keeps passwords out of argv.
 */
#include "settings.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEY_FIRST 0x1000

typedef struct SettingRow {
    const char *environment;
    const char *fallback;
} SettingRow;

static const SettingRow rows[SETTINGS] = {
    [SETTING_SOURCE] = {"PENSTOCK_SOURCE", NULL},
    [SETTING_TARGET] = {"PENSTOCK_TARGET", NULL},
    [SETTING_MIGRATION] = {"PENSTOCK_MIGRATION", "default"},
    [SETTING_LOG_FORMAT] = {"PENSTOCK_LOG_FORMAT", "text"},
};

enum { KEY_CONFIG = KEY_FIRST + SETTINGS, KEY_JSON, KEY_VERBOSE, KEY_QUIET };

static const struct argp_option options[] = {
    {NULL, 0, NULL, 0, "Options of every command:", -2},
    {"source", KEY_FIRST + SETTING_SOURCE, "URI", 0, "Database that is moved (or PENSTOCK_SOURCE)", -2},
    {"target", KEY_FIRST + SETTING_TARGET, "URI", 0, "Database that it is moved to (or PENSTOCK_TARGET)", -2},
    {"migration", KEY_FIRST + SETTING_MIGRATION, "NAME", 0,
     "Name of the migration, \"default\" unless given (or PENSTOCK_MIGRATION)", -2},
    {"config", KEY_CONFIG, "FILE", 0,
     "Read settings from FILE, in place of ./penstock.conf or ~/.config/penstock.conf", -2},
    {"json", KEY_JSON, NULL, 0, "Write the result as JSON", -2},
    {"log-format", KEY_FIRST + SETTING_LOG_FORMAT, "FORMAT", 0,
     "How messages on stderr are written: text, logfmt or json (or PENSTOCK_LOG_FORMAT)", -2},
    {"verbose", KEY_VERBOSE, NULL, 0, "Say more about what is done", -2},
    {"quiet", KEY_QUIET, NULL, 0, "Say only what needs attention", -2},
    {0},
};

bool settings_has_password(const char *text)
{
    bool found = false;
    PQconninfoOption *parsed = PQconninfoParse(text, NULL);
    for (PQconninfoOption *option = parsed; option != NULL && option->keyword != NULL; option++) {
        found = found || (option->val != NULL && strstr(option->keyword, "password") != NULL &&
                          strcmp(option->keyword, "passfile") != 0);
    }
    PQconninfoFree(parsed);
    return found || (parsed == NULL && strchr(text, '@') != NULL);
}

/* Keeps a copy of the option's value; overwrites the original when it holds a password. */
static void keep_value(const SettingsInput *input, int setting, char *value)
{
    input->flags->values[setting] = arena_strndup(input->arena, value, strlen(value));
    if ((setting == SETTING_SOURCE || setting == SETTING_TARGET) && settings_has_password(value)) {
        memset(value, '*', strlen(value));
        input->flags->password_shown = true;
    }
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    const SettingsInput *input = state->input;
    if (key >= KEY_FIRST && key < KEY_FIRST + SETTINGS) {
        keep_value(input, key - KEY_FIRST, argument);
        return 0;
    }
    switch (key) {
    case KEY_CONFIG:
        input->flags->config = argument;
        return 0;
    case KEY_JSON:
        input->flags->json = true;
        return 0;
    case KEY_VERBOSE:
        input->flags->verbose = true;
        return 0;
    case KEY_QUIET:
        input->flags->quiet = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp settings_argp = {.options = options, .parser = parse_option};

static size_t edit_distance(const char *a, const char *b)
{
    size_t columns = strlen(b) + 1, row[64];
    if (columns > 64) {
        return strlen(a) + columns;
    }
    for (size_t j = 0; j < columns; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j < columns; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t remove = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replace < remove ? replace : remove;
        }
    }
    return row[columns - 1];
}

const char *settings_nearest(const char *word, const char *const *candidates, size_t count)
{
    size_t best = 0;
    for (size_t i = 0; i < count; i++) {
        if (strncmp(word, candidates[i], strlen(word)) == 0) {
            return candidates[i];
        }
        if (edit_distance(word, candidates[i]) < edit_distance(word, candidates[best])) {
            best = i;
        }
    }
    return edit_distance(word, candidates[best]) * 2 <= strlen(word) ? candidates[best] : NULL;
}

const char *const settings_names[SETTINGS] = {"source", "target", "migration", "log-format"};

int settings_resolve(const SettingsFlags *flags, const Config *config, LogPlace *place, Settings *out,
                     Error *error)
{
    const char *values[SETTINGS];
    for (int i = 0; i < SETTINGS; i++) {
        const char *environment = getenv(rows[i].environment);
        const char *line = config_value(config, settings_names[i]);
        values[i] = flags->values[i] != NULL                        ? flags->values[i]
                    : environment != NULL && environment[0] != '\0' ? environment
                    : line != NULL                                  ? line
                                                                    : rows[i].fallback;
    }
    *place = (LogPlace){.program = "penstock", .migration = values[SETTING_MIGRATION]};
    *out = (Settings){
        .source = values[SETTING_SOURCE],
        .target = values[SETTING_TARGET],
        .migration = values[SETTING_MIGRATION],
        .json = flags->json,
        .terminal = isatty(STDOUT_FILENO) == 1,
        .log = {.level = flags->verbose ? LOG_DEBUG
                         : flags->quiet ? LOG_WARNING
                                        : LOG_INFO,
                .journal = log_is_journal(),
                .place = place},
    };
    size_t length = strlen(out->migration);
    if (length == 0 || length > 63) {
        return error_set(error, ERROR_USAGE, "the name of a migration has 1 to 63 bytes, not %zu", length);
    }
    if (!log_format_parse(values[SETTING_LOG_FORMAT], &out->log.format)) {
        return error_set(error, ERROR_USAGE, "--log-format is text, logfmt or json, not \"%s\"",
                         values[SETTING_LOG_FORMAT]);
    }
    return 0;
}
