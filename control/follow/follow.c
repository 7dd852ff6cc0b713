/*
 * `penstock follow`: becomes the applier. The process is replaced, not wrapped, so that signals, exit status and
 * supervision are the applier's own. Connection strings go through the environment, where other users cannot read them;
 * nothing secret is in the arguments.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "applier_path.h"
#include "command.h"
#include "disposition.h"
#include "lsn.h"
#include "option.h"

#define APPLIER APPLIER_NAME
#define MAX_CONFLICTS 256
#define OWN_ARGUMENTS (14 + 2 * MAX_CONFLICTS)

typedef struct FollowOptions {
    const char *workers;
    const char *until;
    const char *skip_lsn;
    const char *on_undecodable;
    char *conflicts[MAX_CONFLICTS];
    int conflict_count;
    char **more; /* behind --, for the applier as they are */
    int more_count;
} FollowOptions;

static int export_setting(const char *name, const char *value, Error *error)
{
    if (value != NULL && setenv(name, value, 1) != 0) {
        return error_set(error, ERROR_SYSTEM, "setting %s: %s", name, strerror(errno));
    }
    return 0;
}

static char **make_arguments(const Settings *settings, const FollowOptions *options)
{
    char **arguments = calloc((size_t)(OWN_ARGUMENTS + options->more_count), sizeof *arguments);
    int count = 0;
    arguments[count++] = APPLIER;
    if (options->workers != NULL) {
        arguments[count++] = "--workers";
        arguments[count++] = (char *)options->workers;
    }
    if (options->until != NULL) {
        arguments[count++] = "--until";
        arguments[count++] = (char *)options->until;
    }
    if (options->skip_lsn != NULL) {
        arguments[count++] = "--skip-lsn";
        arguments[count++] = (char *)options->skip_lsn;
    }
    if (options->on_undecodable != NULL) {
        arguments[count++] = "--on-undecodable";
        arguments[count++] = (char *)options->on_undecodable;
    }
    for (int i = 0; i < options->conflict_count; i++) {
        arguments[count++] = "--on-conflict";
        arguments[count++] = options->conflicts[i];
    }
    arguments[count++] = "--migration";
    arguments[count++] = (char *)settings->migration;
    if (settings->log.level != LOG_INFO) {
        arguments[count++] = "--log-level";
        arguments[count++] = settings->log.level == LOG_DEBUG ? "debug" : "warning";
    }
    for (int i = 0; i < options->more_count; i++) {
        arguments[count++] = options->more[i];
    }
    return arguments;
}

static ExitStatus run(const Settings *settings, void *input, Error *error)
{
    const FollowOptions *options = input;
    char path[PATH_MAX];
    if (export_setting("PENSTOCK_SOURCE", settings->source, error) != 0 ||
        export_setting("PENSTOCK_TARGET", settings->target, error) != 0 ||
        export_setting("PENSTOCK_LOG_FORMAT", log_format_name(settings->log.format), error) != 0) {
        return EXIT_FAILED;
    }
    const char *applier = applier_path(path);
    char **arguments = make_arguments(settings, options);
    signal_default(SIGPIPE);
    execvp(applier, arguments);
    error_set(error, ERROR_SYSTEM, "starting %s: %s", applier, strerror(errno));
    error_hint(error, "Install " APPLIER " beside this program or somewhere on PATH.");
    free(arguments);
    return EXIT_FAILED;
}

enum { KEY_UNTIL = 0x2000, KEY_ON_CONFLICT, KEY_SKIP_LSN, KEY_ON_UNDECODABLE };

static const struct argp_option options[] = {
    {"workers", 'w', "N", 0, "Connections that apply in parallel", 0},
    {"until", KEY_UNTIL, "LSN", 0, "End when everything up to LSN is on the target", 0},
    {"on-conflict", KEY_ON_CONFLICT, "[SCHEMA.TABLE=]POLICY", 0,
     "What to do with a change that does not fit the target's rows: stop (default), overwrite or skip. May "
     "be repeated",
     0},
    {"skip-lsn", KEY_SKIP_LSN, "LSN", 0,
     "Leave out what is left of the source transaction that the applier stopped at", 0},
    {"on-undecodable", KEY_ON_UNDECODABLE, "WHAT", 0,
     "error or recopy: when the source cannot send a change, or a row comes of a table made after the copy: "
     "stop (default), "
     "or "
     "go on without the table until `penstock copy` has copied it",
     0},
    {0},
};

static void take_lsn(struct argp_state *state, const char *name, const char *text, const char **out)
{
    Lsn lsn;
    if (!lsn_parse(text, &lsn)) {
        argp_error(state, "--%s takes an LSN such as 16/B374D848, not \"%s\"", name, text);
    }
    *out = text;
}

static void take_conflict(struct argp_state *state, char *text, FollowOptions *parsed)
{
    if (parsed->conflict_count == MAX_CONFLICTS) {
        argp_error(state, "--on-conflict: more than %d of them", MAX_CONFLICTS);
    }
    parsed->conflicts[parsed->conflict_count++] = text;
}

static void take_on_undecodable(struct argp_state *state, const char *text, FollowOptions *parsed)
{
    if (strcmp(text, "error") != 0 && strcmp(text, "recopy") != 0) {
        argp_error(state, "--on-undecodable takes error or recopy, not \"%s\"", text);
    }
    parsed->on_undecodable = text;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    FollowOptions *parsed = state->input;
    switch (key) {
    case 'w':
        option_number(state, "workers", argument, 1, 128);
        parsed->workers = argument;
        return 0;
    case KEY_UNTIL:
        take_lsn(state, "until", argument, &parsed->until);
        return 0;
    case KEY_SKIP_LSN:
        take_lsn(state, "skip-lsn", argument, &parsed->skip_lsn);
        return 0;
    case KEY_ON_UNDECODABLE:
        take_on_undecodable(state, argument, parsed);
        return 0;
    case KEY_ON_CONFLICT:
        take_conflict(state, argument, parsed);
        return 0;
    case ARGP_KEY_ARGS:
        if (state->quoted == 0 || state->next < state->quoted) {
            argp_error(state, "\"%s\" is no option; those of the applier stand behind --",
                       state->argv[state->next]);
        }
        parsed->more = state->argv + state->next;
        parsed->more_count = state->argc - state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .args_doc = "[-- APPLIER-OPTION...]",
    .doc = "\vRuns the applier in the foreground: from where the target is, through all that has happened "
           "since, and on. End it with Ctrl-C or SIGTERM; start it again whenever you like. "
           "`penstock-applier --help` lists the options that may stand behind --.",
};

const Command command_follow = {
    .name = "follow",
    .summary = "Apply what happens at the source, until stopped",
    .argp = &argp,
    .options_size = sizeof(FollowOptions),
    .run = run,
};
