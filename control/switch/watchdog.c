/*
 * The helper blocks in poll on the pipe and does nothing else until it has to. CLOCK_MONOTONIC is the same in all processes of a
 * host, so a time of the command's is one of the helper's.
 */
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "detach.h"
#include "disposition.h"

#define HANGS_MS 20000
#define UNDOES_MS 120000
#define TRY_AGAIN_MS 1000
#define TRIES 600

typedef enum Stand { STAND_QUIET, STAND_HOLDS, STAND_UNDOES, STAND_OVER } Stand;

/* What the command says: written whole, since it is smaller than PIPE_BUF. */
typedef struct Message {
    Stand stand;
    int64_t until; /* clients wait, or the command undoes */
    char round[64];
} Message;

struct Watchdog {
    int pipe;
    Message said;
};

/* --- the helper --- */

/* Leaves nothing of the command behind: terminal, connections, signals, name. */
static void leave_command(int pipe, const char *log_path)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal_ignore(ignored[i]);
    }
    detach_close_all_but(&pipe, 1);
    int log = log_path != NULL ? open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    for (int fd = 1; fd < 3 && log >= 0; fd++) {
        dup2(log, fd);
    }
    prctl(PR_SET_NAME, "penstock-hold");
}

/* How long to wait for the next word: for ever as long as nobody waits for us. */
static int patience(const Message *said)
{
    if (said->stand != STAND_HOLDS && said->stand != STAND_UNDOES) {
        return -1;
    }
    int64_t left = said->until + (said->stand == STAND_HOLDS ? HANGS_MS : 0) - clock_ms();
    return left > 0 ? (int)left : 0;
}

/* Returns once the command is gone; who hangs is killed. */
static void listen_to(int pipe, pid_t command, Message *said)
{
    while (true) {
        struct pollfd fd = {.fd = pipe, .events = POLLIN};
        int ready = poll(&fd, 1, patience(said));
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready == 0) {
            kill(command, SIGKILL);
            said->until = clock_ms();
            continue;
        }
        Message heard;
        ssize_t size = read(pipe, &heard, sizeof heard);
        if (size == 0 || (size < 0 && errno != EINTR)) {
            return;
        }
        if (size == sizeof heard) {
            *said = heard;
        }
    }
}

/* Whoever wants to carry on has until the hold's limit. */
static void wait_for_limit(const Message *said)
{
    for (int64_t left; said->stand == STAND_HOLDS && (left = said->until - clock_ms()) > 0;) {
        clock_pause_ms((int)left);
    }
}

typedef struct Help {
    int pipe;
    pid_t command;
    const WatchdogWork *work;
} Help;

static void help(void *context)
{
    const Help *helping = context;
    const WatchdogWork *work = helping->work;
    Message said = {.stand = STAND_QUIET};
    leave_command(helping->pipe, work->log_path);
    listen_to(helping->pipe, helping->command, &said);
    if (said.stand == STAND_HOLDS || said.stand == STAND_UNDOES) {
        wait_for_limit(&said);
        for (int tried = 0; tried < TRIES && work->undo(work->context, said.round) != 0; tried++) {
            clock_pause_ms(TRY_AGAIN_MS);
        }
    }
}

/* --- the command --- */

Watchdog *watchdog_start(const WatchdogWork *work, Error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_set(error, ERROR_SYSTEM, "no pipe to a helper: %s", strerror(errno));
        return NULL;
    }
    Help helping = {.pipe = ends[0], .command = getpid(), .work = work};
    if (!detach(help, &helping)) {
        error_set(error, ERROR_SYSTEM, "no helper process: %s", strerror(errno));
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    close(ends[0]);
    Watchdog *watchdog = calloc(1, sizeof *watchdog);
    watchdog->pipe = ends[1];
    return watchdog;
}

/* A helper that is gone is not missed before it is needed: nothing to do about a failing write. */
static void say(Watchdog *watchdog, Stand stand, int64_t until)
{
    watchdog->said.stand = stand;
    watchdog->said.until = until;
    while (write(watchdog->pipe, &watchdog->said, sizeof watchdog->said) < 0 && errno == EINTR) {
    }
}

void watchdog_holds(Watchdog *watchdog, const char *round, int64_t hold_end)
{
    if (watchdog != NULL) {
        snprintf(watchdog->said.round, sizeof watchdog->said.round, "%s", round);
        say(watchdog, STAND_HOLDS, hold_end);
    }
}

void watchdog_undoes(Watchdog *watchdog)
{
    if (watchdog != NULL && watchdog->said.stand != STAND_QUIET) {
        say(watchdog, STAND_UNDOES, clock_ms() + UNDOES_MS);
    }
}

void watchdog_leave(Watchdog *watchdog)
{
    if (watchdog != NULL) {
        close(watchdog->pipe);
        free(watchdog);
    }
}

void watchdog_end(Watchdog *watchdog)
{
    if (watchdog != NULL) {
        say(watchdog, STAND_OVER, 0);
        watchdog_leave(watchdog);
    }
}
