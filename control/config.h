/*
 * The settings file: what is said once instead of with every command.
 *
 *     # penstock.conf
 *     source = postgresql://penstock@old.example/shop
 *     target = postgresql://penstock@new.example/shop
 *     proxy = pgbouncer:postgresql://admin@proxy/pgbouncer,config=/etc/pgbouncer/pgbouncer.ini
 *     hold-limit = 20
 *     copy.jobs = 8
 *
 * Lines `name = value`, empty ones, and comments from # at the begin of a line. A name is that of a setting (source, target,
 * migration) or of a long option of any command; `COMMAND.name` is for that command alone. It is given to each command
 * that has such an option, before what its command line says; an option that stands there takes the place of all lines of
 * its name. Flags have the value on or off. What someone must mean at that moment (--yes, --undo …) cannot be set here.
 *
 *     config_read ──► config_value: for settings.c
 *                 └─► config_check, config_arguments: for main.c, which knows the commands
 *
 * All strings live in the arena that was given to config_read.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

#include "arena.h"
#include "command.h"
#include "error.h"

typedef struct ConfigLine {
    const char *command; /* NULL: every command that has it */
    const char *name;
    const char *value;
    int number; /* of the line in the file */
} ConfigLine;

typedef struct Config {
    const char *path; /* NULL: there is no file */
    ConfigLine *lines;
    size_t count;
} Config;

/*
 * Reads the file: named, or else PENSTOCK_CONFIG, ./penstock.conf or ~/.config/penstock.conf, where there is one. ERROR_USAGE,
 * with the line, for what is no line of the form; also when others may read a file that holds a password.
 */
int config_read(const char *named, Arena *arena, Config *out, Error *error) MUST_CHECK;

/* The lines of file alone, whatever they mean; path is for errors. */
int config_parse(FILE *file, const char *path, Arena *arena, Config *out, Error *error) MUST_CHECK;

/* The value of the last line of that name for all commands, or NULL. */
const char *config_value(const Config *config, const char *name);

/*
 * Whether each line is a setting (one of count names) or an option of a command (an array that ends with NULL); ERROR_USAGE
 * names the first that is not, with the nearest name.
 */
int config_check(const Config *config, const char *const *settings, size_t count,
                 const Command *const *commands, Error *error) MUST_CHECK;

/*
 * argv of a command (argv[0] is its name) with the lines that are for it put in front of its own options. *argc is adapted.
 */
char **config_arguments(const Config *config, const Command *command, int *argc, char **argv, Arena *arena,
                        Error *error) MUST_CHECK;
