/*
 * A command of the control CLI: `penstock NAME [options]`.
 *
 * main.c holds the table of commands. Options that every command takes (source, target, migration, json, verbosity)
 * are parsed there, from flags, the environment (PENSTOCK_SOURCE …) and the config file, into Settings; each command
 * parses its own with an argp of its own, which it names in its row, so that parsing and --help come from one table.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>

#include "error.h"
#include "log.h"

/* How far the other side may be behind, in bytes of WAL, for a switch to begin: --max-lag, and what status calls close. */
#define USUAL_MAX_LAG (8LL * 1024 * 1024)

/* Exit statuses of the CLI contract. */
typedef enum ExitStatus {
    EXIT_DONE = 0,
    EXIT_ANSWER_NO = 1, /* check or a comparison found something */
    EXIT_USAGE = 2,
    EXIT_FAILED = 3,
    EXIT_RESUMABLE = 4, /* interrupted; the same command goes on where it stopped */
} ExitStatus;

typedef struct Settings {
    const char *source; /* connection string, or NULL: libpq's defaults */
    const char *target;
    const char *migration; /* name, "default" unless given */
    bool json;             /* machine output on stdout */
    bool terminal;         /* stdout is a terminal: progress may be redrawn */
    Log log;
} Settings;

typedef struct Command {
    const char *name;
    const char *summary;     /* one line for --help */
    const struct argp *argp; /* the command's own options, or NULL; its parser's input is `options` */
    size_t options_size;     /* of the command's own struct, zeroed before parsing */
    ExitStatus (*run)(const Settings *settings, void *options, Error *error);
} Command;

/*
 * Set by SIGINT, SIGTERM and SIGHUP (a terminal that was closed). Long commands look at it between steps and end with
 * ERROR_INTERRUPTED. The only global of the program.
 */
bool interrupted(void);

extern const Command command_init, command_check, command_copy, command_throttle, command_pause,
    command_resume, command_follow, command_status, command_serve, command_report, command_verify,
    command_cutover, command_rollback, command_finish, command_proxy, command_roles;
extern const Command command_ddl;
