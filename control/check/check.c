/*
 * `penstock check`: runs the preflight and prints it. Exit status 1 when something would go wrong.
 */
#include "check.h"

#include <stdint.h>

static ExitStatus run(const Settings *settings, void *options, Error *error)
{
    CheckContext context = {.settings = settings};
    (void)options;
    json_t *outcomes = check_run(&context);
    database_close(context.source);
    database_close(context.target);
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

static const struct argp argp = {
    .doc = "\vLooks at both servers and names what would not work, object by object. Changes nothing. "
           "Exit status: 0 no problem, 1 problems or checks that could not be made. "
           "--verbose lists every object, else the first 20 of each kind are shown; --quiet only problems."};

const Command command_check = {
    .name = "check",
    .summary = "Look at both servers and name what would not work; changes nothing",
    .argp = &argp,
    .run = run,
};
