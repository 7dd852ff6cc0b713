/*
 * Commands: "show", "guard MS HOST PORT", "open HOST PORT" and "end". The answer is "MODE PID WAITING LED", or "error TEXT".
 *
 * A name in the abstract namespace vanishes with its process, so there is never a stale one; but it has no
 * mode bits, and so both sides ask the kernel who is at the other end.
 */
#include "control.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"

#define LINE_SIZE 512
#define ANSWER_MS 5000
#define DYING_MS 1000

static socklen_t address_of(int port, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length = snprintf(out->sun_path + 1, sizeof out->sun_path - 1, "penstock-gate-%d", port);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

int bind_when_free(int fd, const struct sockaddr *address, socklen_t size)
{
    for (int waited = 0; bind(fd, address, size) != 0 || listen(fd, 1024) != 0; waited += 10) {
        if (errno != EADDRINUSE || waited >= DYING_MS) {
            return -1;
        }
        clock_pause_ms(10);
    }
    return 0;
}

int control_bind(int port)
{
    struct sockaddr_un address;
    socklen_t size = address_of(port, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind_when_free(fd, (struct sockaddr *)&address, size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* *pid, when pid is not NULL, is the process at the other end. */
static bool is_trusted(int fd, pid_t *pid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return false;
    }
    if (pid != NULL) {
        *pid = peer.pid;
    }
    return peer.uid == geteuid() || peer.uid == 0;
}

/* --- the gate's side --- */

typedef struct Talk {
    uv_pipe_t pipe;
    uv_write_t write;
    Gate *gate;
    pid_t peer;
    size_t used;
    char line[LINE_SIZE];
} Talk;

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_answered(uv_write_t *request, int status)
{
    (void)status;
    uv_close(request->data, on_closed);
}

static bool resolve(const char *host, const char *port, struct sockaddr_storage *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        return false;
    }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return true;
}

/* Led to its own port, a gate would connect to itself without end. */
static bool is_own_port(const Gate *gate, const struct sockaddr_storage *server)
{
    struct sockaddr_in own;
    int size = sizeof own;
    const struct sockaddr_in *other = (const struct sockaddr_in *)server;
    return server->ss_family == AF_INET &&
           uv_tcp_getsockname(&gate->listener, (struct sockaddr *)&own, &size) == 0 &&
           other->sin_addr.s_addr == own.sin_addr.s_addr && other->sin_port == own.sin_port;
}

/* NULL, or why not. */
static const char *open_to(Gate *gate, const char *host, const char *port)
{
    struct sockaddr_storage server = {0};
    if (!resolve(host, port, &server)) {
        return "the server's name is not known";
    }
    if (is_own_port(gate, &server)) {
        return "that server is the gate itself";
    }
    gate->orders->server = server;
    gate->orders->mode = GATE_OPEN;
    splice_open(gate);
    return NULL;
}

static const char *guard(Gate *gate, pid_t peer, int limit_ms, const char *host, const char *port)
{
    struct sockaddr_storage back = {0};
    if (gate->orders->mode != GATE_HOLD) {
        return "it does not hold any more";
    }
    if (!resolve(host, port, &back)) {
        return "the server's name is not known";
    }
    if (is_own_port(gate, &back)) {
        return "that server is the gate itself";
    }
    guard_set(&gate->orders->guard, peer, limit_ms, &back);
    return NULL;
}

static const char *obey(Gate *gate, pid_t peer, const char *line)
{
    char host[256], port[16];
    int limit_ms;
    if (sscanf(line, "guard %d %255s %15s", &limit_ms, host, port) == 3) {
        return guard(gate, peer, limit_ms, host, port);
    }
    if (sscanf(line, "open %255s %15s", host, port) == 2) {
        return open_to(gate, host, port);
    }
    if (strcmp(line, "end") == 0) {
        if (gate->orders->mode == GATE_HOLD) {
            return "it holds: open it first";
        }
        gate->orders->mode = GATE_ENDING;
        return NULL;
    }
    return strcmp(line, "show") == 0 ? NULL : "there is no such command";
}

static void answer(Talk *talk)
{
    static const char *const modes[] = {[GATE_HOLD] = "hold", [GATE_OPEN] = "open", [GATE_ENDING] = "ending"};
    Gate *gate = talk->gate;
    const char *refusal = obey(gate, talk->peer, talk->line);
    if (refusal != NULL) {
        snprintf(talk->line, sizeof talk->line, "error %s\n", refusal);
    } else {
        snprintf(talk->line, sizeof talk->line, "%s %d %d %d\n", modes[gate->orders->mode],
                 gate->orders->keeper, gate->waiting, gate->led);
    }
    uv_buf_t data = uv_buf_init(talk->line, (unsigned)strlen(talk->line));
    talk->write.data = &talk->pipe;
    uv_read_stop((uv_stream_t *)&talk->pipe);
    if (uv_write(&talk->write, (uv_stream_t *)&talk->pipe, &data, 1, on_answered) != 0) {
        uv_close((uv_handle_t *)&talk->pipe, on_closed);
    }
}

static void on_buffer(uv_handle_t *handle, size_t wanted, uv_buf_t *out)
{
    (void)wanted;
    Talk *talk = (Talk *)handle;
    *out = uv_buf_init(talk->line + talk->used, (unsigned)(sizeof talk->line - 1 - talk->used));
}

static void on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buffer)
{
    (void)buffer;
    Talk *talk = (Talk *)stream;
    if (got < 0) {
        uv_close((uv_handle_t *)stream, on_closed);
        return;
    }
    talk->used += (size_t)got;
    talk->line[talk->used] = '\0';
    char *end = strchr(talk->line, '\n');
    if (end != NULL) {
        *end = '\0';
        answer(talk);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    Gate *gate = listener->data;
    uv_os_fd_t fd;
    if (status < 0) {
        gate_log(gate, "cannot take a command", status);
        return;
    }
    Talk *talk = calloc(1, sizeof *talk);
    talk->gate = gate;
    uv_pipe_init(&gate->loop, &talk->pipe, 0);
    if (uv_accept(listener, (uv_stream_t *)&talk->pipe) != 0 ||
        uv_fileno((uv_handle_t *)&talk->pipe, &fd) != 0 || !is_trusted(fd, &talk->peer) ||
        uv_read_start((uv_stream_t *)&talk->pipe, on_buffer, on_read) != 0) {
        uv_close((uv_handle_t *)&talk->pipe, on_closed);
    }
}

int control_listen(Gate *gate, int fd)
{
    uv_pipe_init(&gate->loop, &gate->control, 0);
    gate->control.data = gate;
    int status = uv_pipe_open(&gate->control, fd);
    return status != 0 ? status : uv_listen((uv_stream_t *)&gate->control, 16, on_connection);
}

/* --- the other side --- */

static int read_line(int fd, char *line, size_t size)
{
    size_t used = 0;
    while (used < size - 1) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (poll(&wait, 1, ANSWER_MS) != 1) {
            return -1;
        }
        ssize_t got = recv(fd, line + used, size - 1 - used, 0);
        if (got <= 0) {
            return -1;
        }
        used += (size_t)got;
        line[used] = '\0';
        if (line[used - 1] == '\n') {
            line[used - 1] = '\0';
            return 0;
        }
    }
    return -1;
}

static int talk(int fd, int port, const char *command, char *line, size_t size)
{
    struct sockaddr_un address;
    socklen_t address_size = address_of(port, &address);
    int length = snprintf(line, size, "%s\n", command);
    return fd >= 0 && connect(fd, (struct sockaddr *)&address, address_size) == 0 && is_trusted(fd, NULL) &&
                   send(fd, line, (size_t)length, MSG_NOSIGNAL) == length
               ? read_line(fd, line, size)
               : -1;
}

int control_ask(int port, const char *command, GateAnswer *answer, Error *error)
{
    char line[LINE_SIZE];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int status = talk(fd, port, command, line, sizeof line);
    if (fd >= 0) {
        close(fd);
    }
    if (status != 0) {
        return error_set(error, ERROR_SYSTEM, "the gate on port %d does not answer", port);
    }
    if (strncmp(line, "error ", 6) == 0) {
        return error_set(error, ERROR_STATE, "the gate on port %d: %s", port, line + 6);
    }
    return sscanf(line, "%15s %d %d %d", answer->mode, &answer->pid, &answer->waiting, &answer->led) == 4
               ? 0
               : error_set(error, ERROR_SYSTEM, "the gate on port %d answered \"%s\"", port, line);
}
