/*
 * Settings in layers. Nothing here connects anywhere or prints: it gathers strings, keeps passwords out of
 * argv, and says exactly which line of which file it did not understand.
 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FIRST 0x1000
#define LINE_SIZE 4096

typedef struct SettingRow {
    const char *name;
    const char *environment;
    const char *fallback;
} SettingRow;

static const SettingRow rows[SETTINGS] = {
    [SETTING_SOURCE] = {"source", "PENSTOCK_SOURCE", NULL},
    [SETTING_TARGET] = {"target", "PENSTOCK_TARGET", NULL},
    [SETTING_MIGRATION] = {"migration", "PENSTOCK_MIGRATION", "default"},
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
    if (setting != SETTING_MIGRATION && settings_has_password(value)) {
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

/* text without white space at both ends, cut in place. */
static char *trim(char *text)
{
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1])) {
        *--end = '\0';
    }
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

static int unknown_setting(const char *path, int number, const char *name, Error *error)
{
    const char *names[SETTINGS];
    for (int i = 0; i < SETTINGS; i++) {
        names[i] = rows[i].name;
    }
    error_set(error, ERROR_USAGE, "%s:%d: there is no setting \"%s\"", path, number, name);
    const char *nearest = settings_nearest(name, names, SETTINGS);
    return nearest != NULL ? error_hint(error, "The nearest is \"%s\".", nearest)
                           : error_hint(error, "There are source, target and migration.");
}

static int read_line(const char *path, int number, char *line, Arena *arena, const char **values,
                     Error *error)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#') {
        return 0;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return error_set(error, ERROR_USAGE, "%s:%d: a line is `name = value`", path, number);
    }
    *equals = '\0';
    char *name = trim(text);
    char *value = trim(equals + 1);
    for (int i = 0; i < SETTINGS; i++) {
        if (strcmp(name, rows[i].name) == 0) {
            values[i] = arena_strndup(arena, value, strlen(value));
            return 0;
        }
    }
    return unknown_setting(path, number, name, error);
}

static int read_file(const char *path, FILE *file, Arena *arena, const char **values, Error *error)
{
    char line[LINE_SIZE];
    int number = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            return error_set(error, ERROR_USAGE, "%s:%d: the line is longer than %d bytes", path, number,
                             LINE_SIZE - 1);
        }
        if (read_line(path, number, line, arena, values, error) != 0) {
            return -1;
        }
    }
    return ferror(file) ? error_set(error, ERROR_SYSTEM, "reading %s: %s", path, strerror(errno)) : 0;
}

/* The config file to read, or NULL; a file that was named must be there. */
static const char *config_path(const char *named, Arena *arena)
{
    const char *environment = getenv("PENSTOCK_CONFIG");
    if (named != NULL || (environment != NULL && environment[0] != '\0')) {
        return named != NULL ? named : environment;
    }
    if (access("penstock.conf", F_OK) == 0) {
        return "penstock.conf";
    }
    const char *home = getenv("HOME");
    const char *path = home != NULL ? arena_printf(arena, "%s/.config/penstock.conf", home) : NULL;
    return path != NULL && access(path, F_OK) == 0 ? path : NULL;
}

/* A file that others can read must not hold a password. */
static int check_mode(const char *path, FILE *file, const char *const *values, Error *error)
{
    struct stat status;
    bool open = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0;
    for (int i = 0; open && i <= SETTING_TARGET; i++) {
        if (values[i] != NULL && settings_has_password(values[i])) {
            error_set(error, ERROR_USAGE, "%s holds a password and others may read it", path);
            return error_hint(error, "Run `chmod 600 %s`, or move the password to ~/.pgpass.", path);
        }
    }
    return 0;
}

static int read_config(const char *named, Arena *arena, const char **values, Error *error)
{
    const char *path = config_path(named, arena);
    if (path == NULL) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, ERROR_USAGE, "opening %s: %s", path, strerror(errno));
    }
    int status = read_file(path, file, arena, values, error);
    status = status == 0 ? check_mode(path, file, values, error) : status;
    fclose(file);
    return status;
}

int settings_resolve(const SettingsFlags *flags, Arena *arena, Settings *out, Error *error)
{
    const char *values[SETTINGS] = {NULL};
    if (read_config(flags->config, arena, values, error) != 0) {
        return -1;
    }
    for (int i = 0; i < SETTINGS; i++) {
        const char *environment = getenv(rows[i].environment);
        values[i] = flags->values[i] != NULL                        ? flags->values[i]
                    : environment != NULL && environment[0] != '\0' ? environment
                    : values[i] != NULL                             ? values[i]
                                                                    : rows[i].fallback;
    }
    size_t length = strlen(values[SETTING_MIGRATION]);
    if (length == 0 || length > 63) {
        return error_set(error, ERROR_USAGE, "the name of a migration has 1 to 63 bytes, not %zu", length);
    }
    *out = (Settings){
        .source = values[SETTING_SOURCE],
        .target = values[SETTING_TARGET],
        .migration = values[SETTING_MIGRATION],
        .json = flags->json,
        .terminal = isatty(STDOUT_FILENO) == 1,
        .log = {.level = flags->verbose ? LOG_DEBUG
                         : flags->quiet ? LOG_WARNING
                                        : LOG_INFO},
    };
    return 0;
}
