/*
 * One loop feeds stdin and empties stdout and stderr, so that neither side can wait for the other. The program has a process
 * group of its own: what it has started ends with it.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "disposition.h"
#include "text.h"

enum { TO, FROM, SAYS, PIPES };

typedef struct Run {
    pid_t pid;
    int fd[PIPES]; /* our ends; -1 once closed */
    const char *input;
    Text out;
    Text said;
} Run;

static void close_end(Run *run, int which)
{
    if (run->fd[which] >= 0) {
        close(run->fd[which]);
        run->fd[which] = -1;
    }
}

static void become(const char *const *argv, const char *const *environment, int pipes[PIPES][2])
{
    setpgid(0, 0);
    signal_default(SIGPIPE);
    for (; environment != NULL && *environment != NULL; environment++) {
        putenv((char *)*environment);
    }
    if (dup2(pipes[TO][0], 0) < 0 || dup2(pipes[FROM][1], 1) < 0 || dup2(pipes[SAYS][1], 2) < 0) {
        _exit(127);
    }
    execvp(argv[0], (char *const *)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static int start(Run *run, const char *const *argv, const char *const *environment, Error *error)
{
    int pipes[PIPES][2];
    for (int i = 0; i < PIPES; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            while (i-- > 0) {
                close(pipes[i][0]);
                close(pipes[i][1]);
            }
            return error_set(error, ERROR_SYSTEM, "cannot make a pipe: %s", strerror(errno));
        }
    }
    run->pid = fork();
    if (run->pid == 0) {
        become(argv, environment, pipes);
    }
    if (run->pid > 0) {
        setpgid(
            run->pid,
            run->pid); /* it does so itself, too: whoever is first, it can be ended as a group from now on */
    }
    for (int i = 0; i < PIPES; i++) {
        int ours = i == TO ? 1 : 0;
        close(pipes[i][1 - ours]);
        run->fd[i] = pipes[i][ours];
        fcntl(run->fd[i], F_SETFL, O_NONBLOCK);
    }
    return run->pid > 0 ? 0 : error_set(error, ERROR_SYSTEM, "cannot start %s: %s", argv[0], strerror(errno));
}

/* SIGPIPE is blocked around the write: a program that does not read its input is no reason to die. */
static void feed(Run *run)
{
    sigset_t one, before;
    sigemptyset(&one);
    sigaddset(&one, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &one, &before);
    ssize_t wrote = write(run->fd[TO], run->input, strlen(run->input));
    if (wrote < 0 && errno == EPIPE) {
        sigtimedwait(&one, NULL, &(struct timespec){0});
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (wrote > 0) {
        run->input += wrote;
    }
    if ((wrote < 0 && errno != EAGAIN && errno != EINTR) || *run->input == '\0') {
        close_end(run, TO);
    }
}

static void empty(Run *run, int which)
{
    char buffer[4096];
    ssize_t got = read(run->fd[which], buffer, sizeof buffer);
    if (got > 0) {
        text_append_bytes(which == FROM ? &run->out : &run->said, buffer, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close_end(run, which);
    }
}

/* Until the program has closed its stdout and stderr. False past the deadline. */
static bool converse(Run *run, int64_t deadline)
{
    if (*run->input == '\0') {
        close_end(run, TO);
    }
    while (run->fd[FROM] >= 0 || run->fd[SAYS] >= 0) {
        int64_t left = deadline - clock_ms();
        struct pollfd all[PIPES];
        for (int i = 0; i < PIPES; i++) {
            all[i] = (struct pollfd){.fd = run->fd[i], .events = i == TO ? POLLOUT : POLLIN};
        }
        if (left <= 0) {
            return false;
        }
        if (poll(all, PIPES, left < 1000 ? (int)left : 1000) <= 0) {
            continue;
        }
        for (int i = 0; i < PIPES; i++) {
            if (all[i].revents != 0) {
                (i == TO ? feed(run) : empty(run, i));
            }
        }
    }
    return true;
}

/* The exit status, -1 when it was ended by a signal, or did not end in time. */
static int await(Run *run, int64_t deadline)
{
    int status;
    pid_t got;
    while ((got = waitpid(run->pid, &status, WNOHANG)) == 0 && clock_ms() < deadline) {
        clock_pause_ms(5);
    }
    return got == run->pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *last_line(Text *said)
{
    char *text = said->data != NULL ? said->data : (char *)"";
    for (size_t size = strlen(text); size > 0 && text[size - 1] == '\n';) {
        text[--size] = '\0';
    }
    char *line = strrchr(text, '\n');
    return line != NULL ? line + 1 : text;
}

static int finish(Run *run, const char *what, bool in_time, int64_t deadline, int limit_ms, Error *error)
{
    int status = in_time ? await(run, deadline) : -1;
    if (status == 0) {
        return 0;
    }
    kill(-run->pid, SIGKILL);
    waitpid(run->pid, NULL, 0);
    if (clock_ms() >= deadline) {
        return error_set(error, ERROR_LIMIT, "%s has not ended within %g s", what, limit_ms / 1000.0);
    }
    const char *words = last_line(&run->said);
    return error_set(error, ERROR_SYSTEM, "%s failed with status %d%s%.300s", what, status,
                     *words != '\0' ? ": " : "", words);
}

int program_run(const char *const *argv, const char *input, const char *const *environment, int limit_ms,
                char **out, Error *error)
{
    Run run = {.input = input != NULL ? input : ""};
    int64_t deadline = clock_ms() + limit_ms;
    if (start(&run, argv, environment, error) != 0) {
        for (int i = 0; run.pid < 0 && i < PIPES; i++) {
            close_end(&run, i);
        }
        return -1;
    }
    bool in_time = converse(&run, deadline);
    for (int i = 0; i < PIPES; i++) {
        close_end(&run, i);
    }
    int status = finish(&run, argv[0], in_time, deadline, limit_ms, error);
    if (status == 0 && out != NULL) {
        *out = strdup(run.out.data != NULL ? run.out.data : "");
    }
    text_free(&run.out);
    text_free(&run.said);
    return status;
}
