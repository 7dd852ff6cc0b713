/*
 * The child gets a process group of its own, so that a Ctrl-C at the terminal reaches only us, and we end the
 * whole group (pg_restore has workers). It asks the kernel for a SIGTERM at the death of its parent, which
 * covers kill -9.
 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "disposition.h"

static _Noreturn void become(const Process *process, const int out[2], const int messages[2], pid_t parent)
{
    disposition_child(parent);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(messages[1], STDERR_FILENO);
    for (const char *const *entry = process->environment; entry != NULL && *entry != NULL; entry++) {
        putenv((char *)*entry);
    }
    execv(process->argv[0], (char *const *)process->argv);
    dprintf(STDERR_FILENO, "%s: %s\n", process->argv[0], strerror(errno));
    _exit(127);
}

/* Reads what is there into text; false at the end. */
static bool drain(int fd, Text *text)
{
    char buffer[16384];
    ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got > 0) {
        text_append_bytes(text, buffer, (size_t)got);
    }
    return got > 0 || (got < 0 && errno == EINTR);
}

/* Reads both pipes to their ends. True when a signal asked us to stop; the group has then been told to. */
static bool follow(const Process *process, pid_t pid, int out_fd, int messages_fd, Text *out, Text *messages)
{
    bool told = false;
    struct pollfd fds[2] = {{.fd = out_fd, .events = POLLIN}, {.fd = messages_fd, .events = POLLIN}};
    Text *texts[2] = {out, messages};
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (interrupted() && !told) {
            told = true;
            kill(-pid, SIGTERM);
        }
        if (process->idle != NULL) {
            process->idle(process->context);
        }
        if (poll(fds, 2, 300) <= 0) {
            continue;
        }
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents != 0 && !drain(fds[i].fd, texts[i])) {
                fds[i].fd = -1;
            }
        }
    }
    return told;
}

/* For the one-line error: messages from the first error on, or all of them, without the last newline. */
static void tell(const Process *process, int status, const Text *messages, Error *error)
{
    const char *text = messages->data != NULL ? messages->data : "";
    const char *found = strstr(text, "error: ");
    text = found != NULL ? found + strlen("error: ") : text;
    size_t size = strlen(text);
    while (size > 0 && text[size - 1] == '\n') {
        size--;
    }
    if (WIFSIGNALED(status)) {
        error_set(error, ERROR_SYSTEM, "%s was ended by signal %d", process->what, WTERMSIG(status));
    } else {
        error_set(error, ERROR_SYSTEM, "%s: %.*s", process->what, (int)(size < 900 ? size : 900), text);
    }
}

static int reap(const Process *process, pid_t pid, bool told, const Text *messages, Error *error)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (told) {
        return error_set(error, ERROR_INTERRUPTED, "interrupted while %s ran", process->what);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        tell(process, status, messages, error);
        return -1;
    }
    return 0;
}

int process_run(const Process *process, Text *out, Text *messages, Error *error)
{
    int out_pipe[2] = {-1, -1}, messages_pipe[2] = {-1, -1};
    pid_t parent = getpid(), pid = -1;
    if (pipe2(out_pipe, O_CLOEXEC) == 0 && pipe2(messages_pipe, O_CLOEXEC) == 0) {
        pid = fork();
    }
    if (pid == 0) {
        become(process, out_pipe, messages_pipe, parent);
    }
    int status = 0;
    if (pid < 0) {
        status = error_set(error, ERROR_SYSTEM, "cannot run %s: %s", process->what, strerror(errno));
    }
    close(out_pipe[1]);
    close(messages_pipe[1]);
    if (pid > 0) {
        setpgid(pid, pid);
        bool told = follow(process, pid, out_pipe[0], messages_pipe[0], out, messages);
        status = reap(process, pid, told, messages, error);
    }
    close(out_pipe[0]);
    close(messages_pipe[0]);
    return status;
}
