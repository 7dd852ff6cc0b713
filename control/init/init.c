/*
 * `penstock init`: writes the settings file, by asking what was not given as an option. One table has the rows of the file:
 * their option, their question, and the comment above them. The file is made with mode 0600, because passwords may be in it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "confirm.h"
#include "database.h"
#include "option.h"
#include "write_file.h"

#define MAX_VALUES 16
#define ANSWER_SIZE 3072 /* a line of the file is below 4096 */

enum { KEY_ROW = 0x4000, KEY_OUTPUT = 0x4100, KEY_FORCE };

enum {
    ROW_SOURCE,
    ROW_TARGET,
    ROW_MIGRATION,
    ROW_PROXY,
    ROW_PROBE,
    ROW_TARGET_ADDRESS,
    ROW_SOURCE_ADDRESS,
    ROW_REVERSE,
    ROW_HOLD_LIMIT,
    ROW_DRAIN_LIMIT,
    ROWS
};

typedef struct InitRow {
    const char *name;
    const char *question; /* NULL: is not asked for */
    bool needed;
    bool repeated;
    const char *comment;
} InitRow;

static const InitRow rows[ROWS] = {
    [ROW_SOURCE] = {"source", "Source, as postgresql://user@host:port/dbname", true, false,
                    "The database that is moved. Passwords are better in ~/.pgpass."},
    [ROW_TARGET] = {"target", "Target, an empty database", true, false, "The database that it is moved to."},
    [ROW_MIGRATION] = {"migration", "Name of the migration; empty for \"default\"", false, false,
                       "The name of the migration; \"default\" unless said."},
    [ROW_PROXY] = {"proxy",
                   "Proxy, as pgbouncer:ADMIN_URI,config=FILE or pgcat:…; empty for none, or no more", false,
                   true, "What holds and leads the clients at the switch; one line each."},
    [ROW_PROBE] = {"probe", NULL, false, false,
                   "A connection through the proxy, to look at the other side after the switch."},
    [ROW_TARGET_ADDRESS] = {"target-address", NULL, false, false,
                            "The target as the proxy reaches it, when that is not as target says."},
    [ROW_SOURCE_ADDRESS] = {"source-address", NULL, false, false,
                            "The source as the proxy reaches it, for a rollback."},
    [ROW_REVERSE] = {"reverse-conninfo",
                     "Target as the server of the source reaches it, for the way back; empty: as above",
                     false, false, "The target as the server of the source reaches it, for the way back."},
    [ROW_HOLD_LIMIT] = {"hold-limit", "How long clients may be held at the switch, in seconds; empty for 30",
                        false, false, "How long clients may be held in all, in seconds; then all is undone."},
    [ROW_DRAIN_LIMIT] = {"drain-limit", NULL, false, false,
                         "How long the switch waits for open transactions, in seconds."},
};

typedef struct InitOptions {
    const char *values[ROWS][MAX_VALUES];
    size_t counts[ROWS];
    const char *output;
    bool force;
    char answers[ROWS + MAX_VALUES][ANSWER_SIZE];
    size_t answered;
} InitOptions;

static int check_value(const InitRow *row, const char *value, Error *error)
{
    if (strpbrk(value, "\r\n") != NULL || strlen(value) >= ANSWER_SIZE) {
        return error_set(error, ERROR_USAGE, "%s is one line of at most %d bytes", row->name,
                         ANSWER_SIZE - 1);
    }
    if (row == &rows[ROW_HOLD_LIMIT] || row == &rows[ROW_DRAIN_LIMIT]) {
        char *end;
        return strtod(value, &end) > 0 && *end == '\0'
                   ? 0
                   : error_set(error, ERROR_USAGE, "%s is a number of seconds, not \"%s\"", row->name, value);
    }
    return row == &rows[ROW_SOURCE] || row == &rows[ROW_TARGET] || row == &rows[ROW_PROBE] ||
                   row == &rows[ROW_REVERSE]
               ? conninfo_check(value, row->name, error)
               : 0;
}

static int add_value(InitOptions *options, int row, const char *value, Error *error)
{
    if (options->counts[row] == (rows[row].repeated ? MAX_VALUES : 1)) {
        return error_set(error, ERROR_USAGE, "too many of %s", rows[row].name);
    }
    if (check_value(&rows[row], value, error) != 0) {
        return -1;
    }
    options->values[row][options->counts[row]++] = value;
    return 0;
}

/* *out is NULL for an empty answer. */
static int ask_once(InitOptions *options, int row, const char **out, Error *error)
{
    char *answer = options->answers[options->answered];
    printf("%s: ", rows[row].question);
    fflush(stdout);
    if (fgets(answer, ANSWER_SIZE, stdin) == NULL) {
        return error_set(error, ERROR_INTERRUPTED, "no answer: nothing was written");
    }
    if (strchr(answer, '\n') == NULL && !feof(stdin)) {
        return error_set(error, ERROR_USAGE, "the answer is longer than %d bytes", ANSWER_SIZE - 2);
    }
    answer[strcspn(answer, "\n")] = '\0';
    options->answered += answer[0] != '\0';
    *out = answer[0] != '\0' ? answer : NULL;
    return 0;
}

/* Until it has what is needed; a wrong answer is said to be so, and asked for again. */
static int ask(InitOptions *options, int row, Error *error)
{
    while (!interrupted()) {
        const char *answer = NULL;
        Error wrong = {.code = ERROR_NONE};
        if (ask_once(options, row, &answer, error) != 0) {
            return -1;
        }
        if (answer == NULL && (!rows[row].needed || options->counts[row] > 0)) {
            return 0;
        }
        if (answer != NULL && add_value(options, row, answer, &wrong) != 0) {
            options->answered--;
            printf("%s\n", wrong.message);
        } else if (answer != NULL && !(rows[row].repeated && options->counts[row] < MAX_VALUES)) {
            return 0;
        }
    }
    return error_set(error, ERROR_INTERRUPTED, "interrupted: nothing was written");
}

static int complete(const Settings *settings, InitOptions *options, Error *error)
{
    const char *const common[] = {settings->source, settings->target,
                                  strcmp(settings->migration, "default") != 0 ? settings->migration : NULL};
    for (int row = 0; row < ROWS; row++) {
        if (row <= ROW_MIGRATION && common[row] != NULL && add_value(options, row, common[row], error) != 0) {
            return -1;
        }
        for (size_t i = 0; i < options->counts[row]; i++) {
            if (check_value(&rows[row], options->values[row][i], error) != 0) {
                return -1;
            }
        }
        if (options->counts[row] > 0 || rows[row].question == NULL) {
            continue;
        }
        if (confirm_possible(settings) ? ask(options, row, error) != 0 : rows[row].needed) {
            return error->code != ERROR_NONE
                       ? -1
                       : error_set(error, ERROR_USAGE, "--%s is missing, and nobody is here to answer",
                                   rows[row].name);
        }
    }
    return 0;
}

static void write_rows(FILE *file, const InitOptions *options)
{
    fputs("# Settings of Penstock: `name = value`. Every long option of a command may stand here, too;\n"
          "# `COMMAND.name = value` is for that command alone.\n",
          file);
    for (int row = 0; row < ROWS; row++) {
        if (options->counts[row] == 0 && row != ROW_HOLD_LIMIT) {
            continue;
        }
        fprintf(file, "\n# %s\n", rows[row].comment);
        for (size_t i = 0; i < options->counts[row]; i++) {
            fprintf(file, "%s = %s\n", rows[row].name, options->values[row][i]);
        }
        if (options->counts[row] == 0) {
            fprintf(file, "# %s = 30\n", rows[row].name);
        }
    }
}

static int write_settings(const InitOptions *options, Error *error)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    if (file == NULL) {
        return error_set(error, ERROR_SYSTEM, "out of memory");
    }
    write_rows(file, options);
    int status = fclose(file) == 0 ? write_file(options->output, text, size, 0600, error)
                                   : error_set(error, ERROR_SYSTEM, "out of memory");
    free(text);
    return status;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    InitOptions *options = input;
    struct stat there;
    if (!options->force && lstat(options->output, &there) == 0) {
        error_set(error, ERROR_USAGE, "%s is there already", options->output);
        error_hint(error, "Edit it, name another with --output, or give --force.");
        return EXIT_USAGE;
    }
    if (complete(settings, options, error) != 0 || write_settings(options, error) != 0) {
        return (ExitStatus)error_exit_status(error);
    }
    printf("Wrote %s, which only you can read. Next: `penstock check`%s%s.\n", options->output,
           strcmp(options->output, "penstock.conf") == 0 ? "" : " --config ",
           strcmp(options->output, "penstock.conf") == 0 ? "" : options->output);
    return EXIT_DONE;
}

static const struct argp_option argp_options[] = {
    {"proxy", KEY_ROW + ROW_PROXY, "KIND:...", 0, "A proxy that the applications go through. May be repeated",
     0},
    {"probe", KEY_ROW + ROW_PROBE, "URI", 0,
     "A connection through the proxy, to look at the other side after the switch", 0},
    {"target-address", KEY_ROW + ROW_TARGET_ADDRESS, "HOSTNAME:PORT", 0, "The target as the proxy reaches it",
     0},
    {"source-address", KEY_ROW + ROW_SOURCE_ADDRESS, "HOSTNAME:PORT", 0, "The source as the proxy reaches it",
     0},
    {"reverse-conninfo", KEY_ROW + ROW_REVERSE, "CONNINFO", 0,
     "The target as the server of the source reaches it, for the way back", 0},
    {"hold-limit", KEY_ROW + ROW_HOLD_LIMIT, "SECONDS", 0, "How long clients may be held in all", 0},
    {"drain-limit", KEY_ROW + ROW_DRAIN_LIMIT, "SECONDS", 0, "How long to wait for open transactions", 0},
    {"output", KEY_OUTPUT, "FILE", 0, "Where to write (penstock.conf)", 1},
    {"force", KEY_FORCE, NULL, 0, "Replace a file that is there", 1},
    {0},
};

static const OptionField fields[] = {
    OPTION_TEXT(KEY_OUTPUT, InitOptions, output),
    OPTION_FLAG(KEY_FORCE, InitOptions, force),
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    InitOptions *options = state->input;
    Error error = {.code = ERROR_NONE};
    if (key >= KEY_ROW && key < KEY_ROW + ROWS) {
        if (add_value(options, key - KEY_ROW, argument, &error) != 0) {
            argp_error(state, "%s", error.message);
        }
        return 0;
    }
    if (key == ARGP_KEY_INIT) {
        options->output = "penstock.conf";
        return 0;
    }
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, options)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
    .options = argp_options,
    .parser = parse,
    .doc = "\vWrites a settings file that all commands read, so that nothing has to be said twice. What is "
           "not given as an "
           "option is asked for on a terminal.",
};

const Command command_init = {
    .name = "init",
    .summary = "Write a settings file, by asking or from options",
    .argp = &argp,
    .options_size = sizeof(InitOptions),
    .run = run,
};
