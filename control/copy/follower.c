/*
 * Connection strings go through the environment, where other users cannot read them.
 */
#include "follower.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "applier_path.h"
#include "clock.h"
#include "database.h"
#include "disposition.h"
#include "state.h"

#define END_SECONDS 20
#define LOOK_SECONDS 5
#define MOST_KILLED 10 /* more often it dies of itself */

struct Follower {
    const Settings *settings;
    pid_t pid;        /* 0: none of ours runs */
    int killed;       /* so many were ended by a signal */
    double looked_at; /* when it was found that another one runs */
};

Follower *follower_new(const Settings *settings)
{
    Follower *follower = calloc(1, sizeof(*follower));
    if (follower == NULL) {
        abort();
    }
    follower->settings = settings;
    return follower;
}

void follower_free(Follower *follower)
{
    if (follower != NULL) {
        follower_stop(follower);
        free(follower);
    }
}

static _Noreturn void become(const Settings *settings, const char *path, pid_t parent)
{
    disposition_child(parent);
    signal_default(SIGHUP);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if ((settings->source != NULL && setenv("PENSTOCK_SOURCE", settings->source, 1) != 0) ||
        (settings->target != NULL && setenv("PENSTOCK_TARGET", settings->target, 1) != 0) ||
        setenv("PENSTOCK_LOG_FORMAT", log_format_name(settings->log.format), 1) != 0) {
        _exit(127);
    }
    execlp(path, APPLIER_NAME, "--migration", settings->migration, "--log-level",
           settings->log.level == LOG_DEBUG ? "debug" : "warning", (char *)NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
    _exit(127);
}

static int start(Follower *follower, Error *error)
{
    char path[PATH_MAX];
    const char *applier = applier_path(path);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        become(follower->settings, applier, parent);
    }
    if (pid < 0) {
        return error_set(error, ERROR_SYSTEM, "the applier's program cannot be run: %s", strerror(errno));
    }
    follower->pid = pid;
    return 0;
}

/* Whether an applier has the migration's lock: if it can be had, nobody has. */
static int another_runs(Follower *follower, bool *runs, Error *error)
{
    Database *target = NULL;
    Error locked;
    if (database_connect(follower->settings->target, DATABASE_TARGET, "copy", &target, error) != 0) {
        return -1;
    }
    int status = state_lock(target, follower->settings->migration, "applier", &locked);
    *runs = status != 0 && locked.code == ERROR_STATE;
    database_close(target);
    if (status != 0 && !*runs) {
        *error = locked;
        return -1;
    }
    return 0;
}

int follower_tend(Follower *follower, Error *error)
{
    int ended = 0;
    bool runs = false;
    if (follower->pid != 0) {
        if (waitpid(follower->pid, &ended, WNOHANG) != follower->pid) {
            return 0;
        }
        follower->pid = 0;
        /* One that an operator started a moment before ours has the lock: that is as good. */
        if (another_runs(follower, &runs, error) != 0) {
            return -1;
        }
        if (runs) {
            return 0;
        }
        if (WIFSIGNALED(ended) && ++follower->killed <= MOST_KILLED) {
            log_line(&follower->settings->log, LOG_WARNING,
                     "the applier was ended by signal %d; it is started again", WTERMSIG(ended));
            return start(follower, error);
        }
        error_set(
            error, ERROR_STATE,
            "the applier that this command has started has ended by itself (%s %d): see its own words above",
            WIFSIGNALED(ended) ? "signal" : "status",
            WIFSIGNALED(ended) ? WTERMSIG(ended) : WEXITSTATUS(ended));
        return error_hint(
            error, "penstock status has its error, too; mend what it says, and run the same command again");
    }
    if (follower->looked_at != 0 && clock_seconds() - follower->looked_at < LOOK_SECONDS) {
        return 0;
    }
    if (another_runs(follower, &runs, error) != 0) {
        return -1;
    }
    follower->looked_at = clock_seconds();
    return runs ? 0 : start(follower, error);
}

void follower_stop(Follower *follower)
{
    double begun = clock_seconds();
    if (follower->pid == 0) {
        return;
    }
    kill(follower->pid, SIGTERM);
    while (waitpid(follower->pid, NULL, WNOHANG) == 0) {
        if (clock_seconds() - begun > END_SECONDS) {
            kill(-follower->pid, SIGKILL);
        }
        clock_pause_ms(20);
    }
    follower->pid = 0;
}
