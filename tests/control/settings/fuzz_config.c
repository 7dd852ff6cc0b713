/*
 * Anything as a settings file, and the rest as a command line: read, checked, and given to a command that has options of
 * every form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct argp_option child_options[] = {
    {"proxy", 1, "KIND", 0, NULL, 0}, {"verify", 2, NULL, 0, NULL, 0}, {0}};
static const struct argp child = {.options = child_options};
static const struct argp_child children[] = {{.argp = &child}, {0}};
static const struct argp_option options[] = {{NULL, 0, NULL, 0, "A heading", 0},
                                             {"jobs", 3, "N", 0, NULL, 0},
                                             {"target-address", 4, "A", 0, NULL, 0},
                                             {0}};
static const struct argp argp = {.options = options, .children = children};
static const Command command = {.name = "move", .argp = &argp};
static const Command *const commands[] = {&command, NULL};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Arena *arena = arena_new(1);
    Config config;
    Error error = {.code = ERROR_NONE};
    FILE *file = size > 0 ? fmemopen((void *)data, size, "r") : NULL;
    char *said = arena_strndup(arena, (const char *)data, size);
    char *argv[] = {"move", said, NULL};
    int argc = 2;
    if (file != NULL && config_parse(file, "file", arena, &config, &error) == 0 &&
        config_check(&config, settings_names, SETTINGS, commands, &error) == 0) {
        char **arguments = config_arguments(&config, &command, &argc, argv, arena, &error);
        if (arguments != NULL && arguments[argc] != NULL) {
            abort();
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    arena_free(arena);
    return 0;
}
