/*
 * Starting a gate and speaking to it; keeper.c has its processes, splice.c what goes on in them.
 */
#include "gate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "keeper.h"

#define START_LIMIT_MS 2000

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
        keeper_begin(&(GateParts){.listener = fd, .control = control, .orders = orders, .log = file}, log);
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
        clock_pause_ms(10);
    }
    return status;
}

bool gate_answers(int port, GateAnswer *answer)
{
    Error ignored;
    return control_ask(port, "show", answer, &ignored) == 0;
}

int gate_guard(int port, int limit_ms, const char *host, const char *server_port, Error *error)
{
    char command[400];
    GateAnswer answer;
    snprintf(command, sizeof command, "guard %d %s %s", limit_ms, host, server_port);
    return control_ask(port, command, &answer, error);
}

int gate_most(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? splice_most(limit.rlim_max) : 0;
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
