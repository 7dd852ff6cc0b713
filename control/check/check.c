/*
 * `penstock check`: runs the preflight and prints it. Exit status 1 when something would go wrong.
 */
#include "check.h"

#include <stdint.h>

#include "clock.h"
#include "grants.h"
#include "option.h"
#include "selection_options.h"

#define TELL_SECONDS 10

typedef struct CheckOptions {
    Selection selection;
    Tablespaces tablespaces;
    CutoverOptions ahead; /* what the switch will be called with */
    bool no_trial;
    int part_mb;
    const char *grants; /* only print what the role of this name needs */
} CheckOptions;

enum OptionKey { OPTION_NO_TRIAL = 0x100, OPTION_PART_SIZE, OPTION_GRANTS };

static const struct argp_option argp_options[] = {
    {.name = "no-trial",
     .key = OPTION_NO_TRIAL,
     .doc = "Do not make the schema, without rows, in a database of its own on the target, to see what is "
            "refused there"},
    {.name = "part-size",
     .key = OPTION_PART_SIZE,
     .arg = "MB",
     .doc = "What the copy will be called with (default: 512): tables that are much larger and cannot be cut "
            "are named"},
    {.name = "grants",
     .key = OPTION_GRANTS,
     .arg = "ROLE",
     .flags = OPTION_ARG_OPTIONAL,
     .doc = "Only print the statements that give a role (default: penstock) what copy and follow need, and "
            "nothing else, on both "
            "sides"},
    {0},
};

static const OptionField fields[] = {
    OPTION_FLAG(OPTION_NO_TRIAL, CheckOptions, no_trial),
    OPTION_NUMBER(OPTION_PART_SIZE, "part-size", CheckOptions, part_mb, 1, 1 << 20)};

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    CheckOptions *options = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &options->selection;
        state->child_inputs[1] = &options->tablespaces;
        state->child_inputs[2] = &options->ahead;
        return 0;
    }
    if (key == OPTION_GRANTS) {
        options->grants = argument != NULL ? argument : "penstock";
        return 0;
    }
    return option_take(fields, sizeof fields / sizeof *fields, key, argument, state, state->input)
               ? 0
               : ARGP_ERR_UNKNOWN;
}

/* On the log, for whoever waits: of tens of thousands of tables the schema alone takes minutes. */
typedef struct Telling {
    const Settings *settings;
    double told; /* when it was said last how far it is */
} Telling;

static void tell(void *context, size_t done, size_t of)
{
    Telling *telling = context;
    double now = clock_seconds();
    LogLevel level = now - telling->told >= TELL_SECONDS ? LOG_INFO : LOG_DEBUG;
    telling->told = level == LOG_INFO ? now : telling->told;
    if (of > 0) {
        log_line(&telling->settings->log, level, "trying the schema on the target: %zu of %zu objects", done,
                 of);
    } else if (level == LOG_INFO) {
        log_line(&telling->settings->log, level, "checking");
    }
}

static ExitStatus run(const Settings *settings, void *options, Error *error)
{
    CheckOptions *check_options = options;
    if (check_options->grants != NULL) {
        return grants_print(settings, check_options->grants, stdout, error) == 0
                   ? EXIT_DONE
                   : (ExitStatus)error_exit_status(error);
    }
    Telling telling = {.settings = settings, .told = clock_seconds()};
    const CheckRequest request = {.settings = settings,
                                  .ahead = &check_options->ahead,
                                  .selection = &check_options->selection,
                                  .tablespaces = &check_options->tablespaces,
                                  .no_trial = check_options->no_trial,
                                  .part_mb = check_options->part_mb,
                                  .idle = tell,
                                  .context = &telling};
    json_t *outcomes = check_run(&request);
    selection_free(&check_options->selection);
    tablespaces_free(&check_options->tablespaces);
    ExitStatus status = check_exit_status(outcomes);
    if (interrupted()) {
        error_set(error, ERROR_INTERRUPTED, "the check was interrupted");
        status = EXIT_RESUMABLE;
    } else if (settings->json) {
        json_dumpf(outcomes, stdout, JSON_INDENT(2));
        fputc('\n', stdout);
    } else {
        check_print(stdout, outcomes,
                    settings->log.level == LOG_DEBUG     ? CHECK_EVERYTHING
                    : settings->log.level == LOG_WARNING ? CHECK_PROBLEMS_ONLY
                                                         : CHECK_USUAL);
    }
    json_decref(outcomes);
    return status;
}

static const struct argp_child children[] = {{.argp = &selection_argp},
                                             {.argp = &tablespaces_argp},
                                             {.argp = &preflight_argp,
                                              .header =
                                                  "What the switch will be called with, to see now what "
                                                  "it would refuse:",
                                              .group = 1},
                                             {0}};

static const struct argp argp = {
    .options = argp_options,
    .parser = parse_option,
    .children = children,
    .doc = "\vLooks at both servers and at the proxies, and names what would not work, object by object, in "
           "the copy, the stream, the switch and the way back. Changes nothing; the schema is tried in a "
           "database of its own on the target, which is dropped again, and a proxy's file is replaced by "
           "itself and reloaded, as the switch's own rehearsal does. "
           "Exit status: 0 no problem, 1 problems or checks that could not be made. "
           "--verbose lists every object, else the first 20 of each kind are shown; --quiet only problems."};

const Command command_check = {
    .name = "check",
    .summary = "Look at both servers and name what would not work; changes nothing",
    .argp = &argp,
    .options_size = sizeof(CheckOptions),
    .run = run,
};
