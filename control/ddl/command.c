/*
 * penstock ddl: what came of DDL, and what the operator decides about what waits. Decisions are written into penstock.ddl,
 * where the applier finds them when it comes to that place again.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "database.h"
#include "ddl_rows.h"
#include "lock.h"
#include "option.h"
#include "state.h"

#define MOST_BYTES (16 << 20) /* of a file with a statement */

typedef struct DdlOptions {
    const char *verb;
    const char *id;
    const char *statement;
    const char *file;
    bool as_target;
    int last;
} DdlOptions;

enum { KEY_STATEMENT = 0x3000, KEY_FILE, KEY_AS_TARGET, KEY_LAST };

static const struct argp_option options[] = {
    {.name = "statement", .key = KEY_STATEMENT, .arg = "SQL", .doc = "edit: what is to be run instead"},
    {.name = "file", .key = KEY_FILE, .arg = "PATH", .doc = "edit: a file with what is to be run instead"},
    {.name = "as-target-role",
     .key = KEY_AS_TARGET,
     .doc = "edit: run it as the role of --target, which may do everything, and not as the role that made "
            "the statement at the source"},
    {.name = "last", .key = KEY_LAST, .arg = "N", .doc = "list: so many, the newest (default: 50)"},
    {0},
};

static const OptionField fields[] = {
    OPTION_TEXT(KEY_STATEMENT, DdlOptions, statement),
    OPTION_TEXT(KEY_FILE, DdlOptions, file),
    OPTION_FLAG(KEY_AS_TARGET, DdlOptions, as_target),
    OPTION_NUMBER(KEY_LAST, "last", DdlOptions, last, 1, 1000000),
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    DdlOptions *parsed = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (state->arg_num > 1) {
            argp_error(state, "too many arguments");
        }
        *(state->arg_num == 0 ? &parsed->verb : &parsed->id) = argument;
        return 0;
    default:
        return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, parsed)
                   ? 0
                   : ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "list | apply ID | skip ID | edit ID",
    .doc = "What came of DDL that was captured at the source, and what is to become of a statement that the "
           "applier stopped at.\v"
           "list shows what came, when, what was done and how long it took. The others decide about the "
           "statement that waits: apply "
           "runs it as it is, once what was in its way is away, and although its kind is one that is asked "
           "about; edit runs another "
           "one instead, in the same place; skip runs nothing. Start penstock follow again afterwards.",
};

static int open_target(const Settings *settings, Database **target, Error *error)
{
    Migration migration;
    if (database_connect(settings->target, DATABASE_TARGET, "ddl", target, error) != 0) {
        *target = NULL;
        return -1;
    }
    return load_migration(settings, *target, &migration, error);
}

static int read_file(const char *path, char **out, Error *error)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return error_set(error, ERROR_USAGE, "cannot open %s: %s", path, strerror(errno));
    }
    char *text = calloc(1, MOST_BYTES + 1);
    if (text == NULL) {
        abort();
    }
    size_t size = fread(text, 1, MOST_BYTES, file);
    bool whole = feof(file) != 0;
    fclose(file);
    if (!whole || size == 0 || memchr(text, '\0', size) != NULL) {
        free(text);
        return error_set(error, ERROR_USAGE, "%s is empty, larger than %d bytes, or no text", path,
                         MOST_BYTES);
    }
    *out = text;
    return 0;
}

/* The statement to be run instead; NULL for the other verbs. The caller frees it. */
static int take_statement(const DdlOptions *parsed, char **out, Error *error)
{
    bool edits = strcmp(parsed->verb, "edit") == 0;
    *out = NULL;
    if (edits != (parsed->statement != NULL || parsed->file != NULL) ||
        (parsed->statement != NULL && parsed->file != NULL)) {
        return error_set(error, ERROR_USAGE,
                         "edit takes --statement SQL or --file PATH, and nothing else does");
    }
    if (parsed->as_target && !edits) {
        return error_set(error, ERROR_USAGE, "--as-target-role is about the statement of edit");
    }
    if (parsed->file != NULL) {
        return read_file(parsed->file, out, error);
    }
    *out = parsed->statement != NULL ? strdup(parsed->statement) : NULL;
    return 0;
}

static int decide(const Settings *settings, Database *target, const DdlOptions *parsed, Error *error)
{
    char *statement = NULL;
    bool found = false;
    if (parsed->id == NULL || strspn(parsed->id, "0123456789") != strlen(parsed->id) ||
        strlen(parsed->id) > 18) {
        return error_set(error, ERROR_USAGE, "penstock ddl %s takes the number that penstock ddl list shows",
                         parsed->verb);
    }
    if (take_statement(parsed, &statement, error) != 0) {
        return -1;
    }
    const DdlDecide decide = {
        .id = parsed->id, .verb = parsed->verb, .statement = statement, .as_target = parsed->as_target};
    int status = ddl_rows_decide(target, settings->migration, &decide, &found, error);
    free(statement);
    if (status != 0) {
        return -1;
    }
    if (!found) {
        error_set(error, ERROR_STATE, "DDL %s of migration \"%s\" does not wait for a decision", parsed->id,
                  settings->migration);
        return error_hint(error, "penstock ddl list shows which does.");
    }
    if (!settings->json) {
        printf("DDL %s: %s. Start penstock follow again.\n", parsed->id,
               strcmp(parsed->verb, "skip") == 0   ? "it will be left out"
               : strcmp(parsed->verb, "edit") == 0 ? "the other statement will be run"
                                                   : "it will be run as it is");
    }
    return 0;
}

static int act(const Settings *settings, Database *target, const DdlOptions *parsed, Error *error)
{
    if (parsed->verb == NULL || strcmp(parsed->verb, "list") == 0) {
        return ddl_rows_list(target, settings, parsed->last > 0 ? parsed->last : 50, error);
    }
    if (strcmp(parsed->verb, "apply") == 0 || strcmp(parsed->verb, "skip") == 0 ||
        strcmp(parsed->verb, "edit") == 0) {
        return decide(settings, target, parsed, error);
    }
    return error_set(error, ERROR_USAGE, "penstock ddl takes list, apply, skip or edit, not \"%s\"",
                     parsed->verb);
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    Database *target = NULL;
    int status = open_target(settings, &target, error);
    if (status == 0) {
        status = act(settings, target, input, error);
    }
    database_close(target);
    return status == 0 ? EXIT_DONE : (ExitStatus)error_exit_status(error);
}

const Command command_ddl = {
    .name = "ddl",
    .summary = "Show captured DDL, and decide about what waits",
    .argp = &argp,
    .options_size = sizeof(DdlOptions),
    .run = run,
};
