/*
 * Two processes, the keeper and the server, have the two listening sockets and the orders, in shared memory. The server
 * runs the loop; the keeper does nothing but wait. Each watches the other by a pidfd and makes it anew when it dies:
 *
 *     the server dies:  the keeper starts another. The port was open all the time; connections that were in it are lost
 *     the keeper dies:  the server starts another. Nobody notices
 *     both at once:     the gate is gone
 *
 * When the server ends by itself it says so in the orders, and the keeper ends too.
 *
 * The first keeper is detached (detach.h). A keeper has no descriptors but its own: a connection left open in it would outlive
 * those who talk over it.
 */
#include "keeper.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "detach.h"
#include "disposition.h"

#define LOOK_MS 200
#define RESTART_MS 50

static void keep(const GateParts *parts, pid_t server) __attribute__((noreturn));

/* --- the server --- */

static void on_look(uv_timer_t *timer)
{
    Gate *gate = timer->data;
    if (gate->orders->mode == GATE_HOLD && guard_is_over(&gate->orders->guard)) {
        gate_log(gate,
                 "the command that holds is gone and its time is over: opened to where clients came from", 0);
        gate->orders->server = gate->orders->guard.back;
        gate->orders->mode = GATE_OPEN;
        splice_open(gate);
    }
    if (gate->orders->mode != GATE_ENDING) {
        return;
    }
    splice_end_unused(gate);
    if (gate->waiting + gate->led == 0 && !splice_is_awaited(gate)) {
        uv_stop(&gate->loop);
    }
}

static void close_all_but(const GateParts *parts)
{
    const int kept[] = {parts->listener, parts->control, fileno(parts->log)};
    if (!detach_close_all_but(kept, sizeof kept / sizeof *kept)) {
        _exit(1);
    }
}

typedef struct Serving {
    Gate gate;
    const GateParts *parts;
    uv_poll_t watch; /* the keeper's pidfd */
    int pidfd;
} Serving;

static void watch_keeper(Serving *serving, pid_t keeper);

static void replace_keeper(Serving *serving)
{
    pid_t server = getpid();
    pid_t keeper = fork();
    if (keeper == 0) {
        close_all_but(serving->parts);
        keep(serving->parts, server);
    }
    if (keeper > 0) {
        watch_keeper(serving, keeper);
    }
}

static void on_unwatched(uv_handle_t *handle)
{
    Serving *serving = handle->data;
    close(serving->pidfd);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    replace_keeper(serving);
}

static void on_keeper_died(uv_poll_t *watch, int status, int events)
{
    (void)status;
    (void)events;
    uv_close((uv_handle_t *)watch, on_unwatched);
}

static void watch_keeper(Serving *serving, pid_t keeper)
{
    serving->pidfd = pidfd_open(keeper, 0);
    serving->watch.data = serving;
    if (serving->pidfd < 0 || uv_poll_init(&serving->gate.loop, &serving->watch, serving->pidfd) != 0 ||
        uv_poll_start(&serving->watch, UV_READABLE, on_keeper_died) != 0) {
        gate_log(&serving->gate, "cannot watch the part that keeps the port", 0);
    }
}

static int serve(const GateParts *parts, pid_t keeper)
{
    Serving serving = {.gate = {.orders = parts->orders, .log = parts->log}, .parts = parts};
    Gate *gate = &serving.gate;
    struct rlimit descriptors = {0};
    getrlimit(RLIMIT_NOFILE, &descriptors);
    gate->most = splice_most(descriptors.rlim_cur);
    uv_loop_init(&gate->loop);
    uv_timer_init(&gate->loop, &gate->timer);
    gate->timer.data = gate;
    uv_timer_start(&gate->timer, on_look, LOOK_MS, LOOK_MS);
    int status = splice_listen(gate, parts->listener);
    if (status == 0) {
        status = control_listen(gate, parts->control);
    }
    if (status != 0) {
        gate_log(gate, "cannot listen", status);
        return 1;
    }
    if (getppid() == keeper) {
        watch_keeper(&serving, keeper);
    } else {
        replace_keeper(&serving);
    }
    uv_run(&gate->loop, UV_RUN_DEFAULT);
    parts->orders->over = true;
    return 0;
}

/* --- the keeper --- */

/* Returns when the process, a child or not, has died. */
static void wait_for(pid_t server)
{
    int pidfd = pidfd_open(server, 0);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    while (pidfd >= 0 && poll(&fd, 1, -1) < 0 && errno == EINTR) {
    }
    if (pidfd >= 0) {
        close(pidfd);
    }
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
}

/* server: the one that runs, or 0. */
static void keep(const GateParts *parts, pid_t server)
{
    pid_t self = getpid();
    parts->orders->keeper = self;
    while (true) {
        if (server == 0) {
            server = fork();
        }
        if (server == 0) {
            _exit(serve(parts, self));
        }
        if (server > 0) {
            wait_for(server);
        }
        if (parts->orders->over) {
            _exit(0);
        }
        server = 0;
        clock_pause_ms(RESTART_MS);
    }
}

/* As many descriptors as may be: the usual 1,024 are gone with 500 connections. */
static void take_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Leaves nothing of the command behind: descriptors, signals, name. */
static void leave_command(const GateParts *parts, const char *log_path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", log_path);
    if (chdir(dirname(folder)) != 0) {
        _exit(1);
    }
    close_all_but(parts);
    take_descriptors();
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal_ignore(ignored[i]);
    }
    signal_default(SIGTERM);
    signal_default(SIGCHLD);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "penstock-gate");
}

typedef struct Beginning {
    const GateParts *parts;
    const char *log_path;
} Beginning;

static void begin(void *context)
{
    const Beginning *beginning = context;
    leave_command(beginning->parts, beginning->log_path);
    keep(beginning->parts, 0);
}

void keeper_begin(const GateParts *parts, const char *log_path)
{
    Beginning beginning = {.parts = parts, .log_path = log_path};
    detach(begin, &beginning);
}
