/*
 * penstock-applier: takes the changes of the source from its slot and applies them to the target, until it is told to
 * stop. Everything that matters is in pipeline/; what happens when it ends, in supervisor.c.
 */
#include <errno.h>
#include <string.h>

#include "dump.h"
#include "session_settings.h"
#include "supervisor.h"

static int run(const ApplierOptions *options, Error *error)
{
    Stop stop;
    if (options->dump != NULL) {
        int status = dump_frames(options->dump, error);
        if (status != 0) {
            log_error(&options->log, error);
        }
        return status;
    }
    if (stop_init(&stop) != 0) {
        error_set(error, ERROR_SYSTEM, "cannot receive signals: %s", strerror(errno));
        log_error(&options->log, error);
        return -1;
    }
    return supervise(options, &stop, error);
}

int main(int argc, char **argv)
{
    session_settings_forget_environment();
    ApplierOptions options;
    Error error = {0};
    options_parse(argc, argv, &options);
    int status = run(&options, &error) == 0 ? 0 : error_exit_status(&error);
    policies_free(&options.policies);
    free((void *)options.lossy.names);
    return status;
}
