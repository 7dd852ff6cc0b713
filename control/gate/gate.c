/*
 * Two processes. The keeper owns the two listening sockets and the orders, in shared memory, and does nothing
 * but wait; the server, its child, runs the loop. When the server dies the keeper starts another: the port
 * was open all the time, and the orders are where they were. When the server ends by itself the keeper ends
 * too.
 *
 * The keeper is made by a double fork, so that it belongs to no terminal, no process group and no parent of
 * ours. It keeps no descriptor but its own: a connection to a database left open in it would outlive the
 * command.
 */
#include "gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "splice.h"

#define LOOK_MS 200
#define RESTART_MS 50
#define START_LIMIT_MS 2000

void gate_log(Gate *gate, const char *what, int status)
{
    char when[32];
    time_t now = time(NULL);
    struct tm parts;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
    fprintf(gate->log, "%s gate: %s%s%s\n", when, what, status != 0 ? ": " : "",
            status != 0 ? uv_strerror(status) : "");
    fflush(gate->log);
}

/* --- the server --- */

static void on_look(uv_timer_t *timer)
{
    Gate *gate = timer->data;
    if (gate->orders->mode != GATE_ENDING) {
        return;
    }
    splice_end_unused(gate);
    if (gate->waiting + gate->led == 0) {
        uv_stop(&gate->loop);
    }
}

static int serve(pid_t keeper, int listener, int control, GateOrders *orders, FILE *log)
{
    Gate gate = {.orders = orders, .log = log};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper) {
        return 1;
    }
    uv_loop_init(&gate.loop);
    uv_timer_init(&gate.loop, &gate.timer);
    gate.timer.data = &gate;
    uv_timer_start(&gate.timer, on_look, LOOK_MS, LOOK_MS);
    int status = splice_listen(&gate, listener);
    if (status == 0) {
        status = control_listen(&gate, control);
    }
    if (status != 0) {
        gate_log(&gate, "cannot listen", status);
        return 1;
    }
    uv_run(&gate.loop, UV_RUN_DEFAULT);
    return 0;
}

/* --- the keeper --- */

static void keep(int listener, int control, GateOrders *orders, FILE *log)
{
    pid_t keeper = getpid();
    while (true) {
        pid_t server = fork();
        if (server == 0) {
            _exit(serve(keeper, listener, control, orders, log));
        }
        int status;
        while (server > 0 && waitpid(server, &status, 0) < 0 && errno == EINTR) {
        }
        if (server > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            _exit(0);
        }
        nanosleep(&(struct timespec){.tv_nsec = RESTART_MS * 1000000L}, NULL);
    }
}

/* Leaves nothing of the command behind: descriptors, signals, name. Its folder is that of its log. */
static void become_keeper(int listener, int control, FILE *log, const char *log_path)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", log_path);
    if (chdir(dirname(folder)) != 0) {
        _exit(1);
    }
    int kept[] = {listener, control, fileno(log)};
    long limit = sysconf(_SC_OPEN_MAX);
    for (int fd = 0; fd < (limit > 0 && limit < 65536 ? limit : 65536); fd++) {
        if (fd != kept[0] && fd != kept[1] && fd != kept[2]) {
            close(fd);
        }
    }
    for (int fd = 0; fd < 3; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) {
            _exit(1);
        }
    }
    static const int ignored[] = {SIGPIPE, SIGHUP, SIGINT};
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        signal(ignored[i], SIG_IGN);
    }
    signal(SIGTERM, SIG_DFL);
    signal(SIGCHLD, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_NAME, "penstock-gate");
}

int gate_take_port(int *port, int *fd, Error *error)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) != 0 ||
        bind_when_free(*fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(*fd, (struct sockaddr *)&address, &size) != 0) {
        error_set(error, ERROR_SYSTEM, "the gate cannot have port %d: %s", *port, strerror(errno));
        if (*fd >= 0) {
            close(*fd);
        }
        return -1;
    }
    *port = ntohs(address.sin_port);
    return 0;
}

static void begin(int listener, int control, GateOrders *orders, FILE *log, const char *log_path)
{
    pid_t between = fork();
    if (between == 0) {
        setsid();
        if (fork() == 0) {
            become_keeper(listener, control, log, log_path);
            keep(listener, control, orders, log);
        }
        _exit(0);
    }
    while (between > 0 && waitpid(between, NULL, 0) < 0 && errno == EINTR) {
    }
}

int gate_start(int port, int fd, const char *log, Error *error)
{
    GateOrders *orders =
        mmap(NULL, sizeof *orders, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int control = control_bind(port);
    FILE *file = fopen(log, "ae");
    int status = 0;
    if (orders == MAP_FAILED || control < 0 || file == NULL) {
        status = error_set(error, ERROR_SYSTEM, "cannot start the gate on port %d (its log is \"%s\"): %s",
                           port, log, strerror(errno));
    } else {
        orders->mode = GATE_HOLD;
        begin(fd, control, orders, file, log);
    }
    if (orders != MAP_FAILED) {
        munmap(orders, sizeof *orders);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (control >= 0) {
        close(control);
    }
    close(fd);
    for (int waited = 0; status == 0 && !gate_answers(port, &(GateAnswer){0}); waited += 10) {
        if (waited > START_LIMIT_MS) {
            return error_set(error, ERROR_SYSTEM, "the gate on port %d did not start; its log is \"%s\"",
                             port, log);
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000L}, NULL);
    }
    return status;
}

bool gate_answers(int port, GateAnswer *answer)
{
    Error ignored;
    return control_ask(port, "show", answer, &ignored) == 0;
}

int gate_open(int port, const char *host, const char *server_port, Error *error)
{
    char command[400];
    GateAnswer answer;
    snprintf(command, sizeof command, "open %s %s", host, server_port);
    return control_ask(port, command, &answer, error);
}

int gate_end(int port, Error *error)
{
    GateAnswer answer;
    return control_ask(port, "end", &answer, error);
}
