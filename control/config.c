/*
 * Reading the settings file. It says exactly which line it did not understand, and never what a value is: that may be a
 * password.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"

#define LINE_SIZE 4096
#define FIRST_LINES 16

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

static void add_line(Config *config, Arena *arena, ConfigLine line)
{
    size_t count = config->count;
    if (count == 0 || (count >= FIRST_LINES && (count & (count - 1)) == 0)) {
        ConfigLine *grown = arena_alloc(arena, (count == 0 ? FIRST_LINES : 2 * count) * sizeof *grown);
        if (count > 0) {
            memcpy(grown, config->lines, count * sizeof *grown);
        }
        config->lines = grown;
    }
    config->lines[config->count++] = line;
}

static int read_line(Config *config, int number, char *line, Arena *arena, Error *error)
{
    char *text = trim(line);
    if (*text == '\0' || *text == '#') {
        return 0;
    }
    char *equals = strchr(text, '=');
    if (equals == NULL) {
        return error_set(error, ERROR_USAGE, "%s:%d: a line is `name = value`", config->path, number);
    }
    *equals = '\0';
    char *name = trim(text), *value = trim(equals + 1);
    char *dot = strchr(name, '.');
    if (dot != NULL) {
        *dot = '\0';
    }
    add_line(config, arena,
             (ConfigLine){.command = dot != NULL ? arena_strndup(arena, name, strlen(name)) : NULL,
                          .name = arena_strndup(arena, dot != NULL ? dot + 1 : name,
                                                strlen(dot != NULL ? dot + 1 : name)),
                          .value = arena_strndup(arena, value, strlen(value)),
                          .number = number});
    return 0;
}

int config_parse(FILE *file, const char *path, Arena *arena, Config *out, Error *error)
{
    char line[LINE_SIZE];
    int number = 0;
    *out = (Config){.path = path};
    while (fgets(line, sizeof line, file) != NULL) {
        number++;
        if (strchr(line, '\n') == NULL && !feof(file)) {
            return error_set(error, ERROR_USAGE, "%s:%d: the line is longer than %d bytes", path, number,
                             LINE_SIZE - 1);
        }
        if (read_line(out, number, line, arena, error) != 0) {
            return -1;
        }
    }
    return ferror(file) ? error_set(error, ERROR_SYSTEM, "reading %s: %s", path, strerror(errno)) : 0;
}

/* The file to read, or NULL; one that was named must be there. */
static const char *choose_path(const char *named, Arena *arena)
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
static int check_mode(const Config *config, FILE *file, Error *error)
{
    struct stat status;
    bool open = fstat(fileno(file), &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 077) != 0;
    for (size_t i = 0; open && i < config->count; i++) {
        if (settings_has_password(config->lines[i].value)) {
            error_set(error, ERROR_USAGE, "%s holds a password and others may read it", config->path);
            return error_hint(error, "Run `chmod 600 %s`, or move the password to ~/.pgpass.", config->path);
        }
    }
    return 0;
}

int config_read(const char *named, Arena *arena, Config *out, Error *error)
{
    *out = (Config){0};
    const char *path = choose_path(named, arena);
    if (path == NULL) {
        return 0;
    }
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return error_set(error, ERROR_USAGE, "opening %s: %s", path, strerror(errno));
    }
    int status = config_parse(file, path, arena, out, error);
    status = status == 0 ? check_mode(out, file, error) : status;
    fclose(file);
    return status;
}

const char *config_value(const Config *config, const char *name)
{
    for (size_t i = config->count; i > 0; i--) {
        if (config->lines[i - 1].command == NULL && strcmp(config->lines[i - 1].name, name) == 0) {
            return config->lines[i - 1].value;
        }
    }
    return NULL;
}
