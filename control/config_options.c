/*
 * Lines of the settings file as options of a command. A command's argp is the only list of what it takes; this walks it, with
 * its children, so that a new option can stand in the file at once.
 */
#include <string.h>

#include "config.h"
#include "option.h"
#include "settings.h"

#define MAX_NAMES 256

/* What has to be meant at the moment it is said. */
static const char *const momentary[] = {"yes",         "plan",   "dry-run",      "resume", "undo", "abandon",
                                        "skip-source", "config", "keep-journal", "force",  "help", "version"};

static const struct argp_option *find_option(const struct argp *argp, const char *name)
{
    const struct argp_option *options[MAX_NAMES];
    size_t count = option_list(argp, options, MAX_NAMES);
    for (size_t i = 0; i < count; i++) {
        if (options[i]->name != NULL && strcmp(options[i]->name, name) == 0) {
            return options[i];
        }
    }
    return NULL;
}

static void list_options(const struct argp *argp, const char **names, size_t *count)
{
    const struct argp_option *options[MAX_NAMES];
    size_t listed = option_list(argp, options, MAX_NAMES);
    for (size_t i = 0; i < listed && *count < MAX_NAMES; i++) {
        if (options[i]->name != NULL) {
            names[(*count)++] = options[i]->name;
        }
    }
}

static bool is_momentary(const char *name)
{
    for (size_t i = 0; i < sizeof momentary / sizeof momentary[0]; i++) {
        if (strcmp(momentary[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_for(const ConfigLine *line, const Command *command)
{
    return (line->command == NULL || strcmp(line->command, command->name) == 0) &&
           find_option(command->argp, line->name) != NULL;
}

static int unknown_name(const Config *config, const ConfigLine *line, const char *const *settings,
                        size_t count, const Command *const *commands, Error *error)
{
    const char *names[MAX_NAMES];
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        names[known++] = settings[i];
    }
    for (const Command *const *command = commands; *command != NULL; command++) {
        list_options((*command)->argp, names, &known);
    }
    error_set(error, ERROR_USAGE, "%s:%d: there is no setting \"%s%s%s\"", config->path, line->number,
              line->command != NULL ? line->command : "", line->command != NULL ? "." : "", line->name);
    const char *nearest = settings_nearest(line->name, names, known);
    return nearest != NULL ? error_hint(error, "The nearest is \"%s\".", nearest)
                           : error_hint(error, "There are source, target, migration, log-format, and the "
                                               "long options of the commands.");
}

static bool is_setting(const ConfigLine *line, const char *const *settings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (line->command == NULL && strcmp(settings[i], line->name) == 0) {
            return true;
        }
    }
    return false;
}

static int check_line(const Config *config, const ConfigLine *line, const char *const *settings, size_t count,
                      const Command *const *commands, Error *error)
{
    if (is_setting(line, settings, count)) {
        return 0;
    }
    if (is_momentary(line->name)) {
        return error_set(error, ERROR_USAGE,
                         "%s:%d: \"%s\" is for the command line only: it has to be meant when it is said",
                         config->path, line->number, line->name);
    }
    for (const Command *const *command = commands; *command != NULL; command++) {
        if (is_for(line, *command)) {
            return 0;
        }
    }
    return unknown_name(config, line, settings, count, commands, error);
}

int config_check(const Config *config, const char *const *settings, size_t count,
                 const Command *const *commands, Error *error)
{
    for (size_t i = 0; i < config->count; i++) {
        if (check_line(config, &config->lines[i], settings, count, commands, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* Whether argument is --name, --name=value, or short for it as getopt_long allows. */
static bool says(const char *argument, const char *name, const Command *command)
{
    char word[64];
    if (strncmp(argument, "--", 2) != 0) {
        return false;
    }
    size_t length = strcspn(argument + 2, "=");
    if (length == 0 || length >= sizeof word || strncmp(argument + 2, name, length) != 0) {
        return false;
    }
    memcpy(word, argument + 2, length);
    word[length] = '\0';
    /* The whole name of another option is not short for this one. */
    return strcmp(word, name) == 0 || find_option(command->argp, word) == NULL;
}

static bool command_line_says(int argc, char **argv, const char *name, const Command *command)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (says(argv[i], name, command)) {
            return true;
        }
    }
    return false;
}

/* *out is NULL for a flag that is off. */
static int as_argument(const Config *config, const ConfigLine *line, const struct argp_option *option,
                       Arena *arena, char **out, Error *error)
{
    *out = NULL;
    if (option->arg != NULL) {
        *out = arena_printf(arena, "--%s=%s", line->name, line->value);
    } else if (strcmp(line->value, "on") == 0) {
        *out = arena_printf(arena, "--%s", line->name);
    } else if (strcmp(line->value, "off") != 0) {
        return error_set(error, ERROR_USAGE, "%s:%d: \"%s\" is on or off", config->path, line->number,
                         line->name);
    }
    return 0;
}

char **config_arguments(const Config *config, const Command *command, int *argc, char **argv, Arena *arena,
                        Error *error)
{
    int count = 1;
    char **out = arena_alloc(arena, ((size_t)*argc + config->count + 1) * sizeof *out);
    out[0] = argv[0];
    for (size_t i = 0; i < config->count; i++) {
        const ConfigLine *line = &config->lines[i];
        char *argument = NULL;
        if (!is_for(line, command) || command_line_says(*argc, argv, line->name, command)) {
            continue;
        }
        if (as_argument(config, line, find_option(command->argp, line->name), arena, &argument, error) != 0) {
            return NULL;
        }
        if (argument != NULL) {
            out[count++] = argument;
        }
    }
    memcpy(out + count, argv + 1, (size_t)*argc * sizeof *out); /* with the NULL at its end */
    *argc += count - 1;
    return out;
}
