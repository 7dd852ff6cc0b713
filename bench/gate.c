/*
 * A gate to measure with: on a port of its own, led to one server, until its standard input ends.
 *
 *     bench-gate HOST PORT       says the gate's port, then leads to HOST:PORT; when its input ends, how long the gate took to be gone
 *     bench-gate many COUNT      holds that many connections, leads them, and says how long each of it took
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "gate.h"

#define GONE_MS 30000

static void fail(const Error *error)
{
    fprintf(stderr, "bench-gate: %s\n", error->message);
    exit(1);
}

static void fail_with(const char *what)
{
    perror(what);
    exit(1);
}

static int start(void)
{
    Error error;
    int port = 0, fd;
    if (gate_take_port(&port, &fd, &error) != 0 || gate_start(port, fd, "/dev/null", &error) != 0) {
        fail(&error);
    }
    return port;
}

static void lead(int port, const char *host, const char *server_port)
{
    Error error;
    if (gate_open(port, host, server_port, &error) != 0) {
        fail(&error);
    }
}

/* Seconds until it does not answer any more. */
static double end(int port)
{
    Error error;
    GateAnswer answer;
    double began = clock_seconds();
    if (gate_end(port, &error) != 0) {
        fail(&error);
    }
    for (int64_t limit = clock_ms() + GONE_MS; gate_answers(port, &answer) && clock_ms() < limit;) {
        clock_pause_ms(1);
    }
    return clock_seconds() - began;
}

static int measure_server(const char *host, const char *server_port)
{
    int port = start();
    lead(port, host, server_port);
    printf("%d\n", port);
    fflush(stdout);
    while (getchar() != EOF) {
    }
    printf("gone after %.3f s\n", end(port));
    return 0;
}

/* --- many --- */

static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail_with("getrlimit");
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail_with("setrlimit");
    }
}

static int connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        fail_with("connect");
    }
    return fd;
}

static int measure_many(int count)
{
    Error error;
    GateAnswer answer = {0};
    char text[16];
    int listener, server_port = 0;
    int *clients = calloc((size_t)count, sizeof *clients), *servers = calloc((size_t)count, sizeof *servers);
    raise_limit();
    int port = start();
    if (gate_take_port(&server_port, &listener, &error) != 0) {
        fail(&error);
    }
    snprintf(text, sizeof text, "%d", server_port);

    double began = clock_seconds();
    for (int i = 0; i < count; i++) {
        clients[i] = connect_to(port);
        if (send(clients[i], &i, sizeof i, 0) != sizeof i) {
            fail_with("send");
        }
    }
    while (gate_answers(port, &answer) && answer.waiting < count) {
    }
    printf("%d connections held after %.3f s\n", answer.waiting, clock_seconds() - began);

    began = clock_seconds();
    lead(port, "127.0.0.1", text);
    for (int i = 0; i < count; i++) {
        int number;
        servers[i] = accept(listener, NULL, NULL);
        if (servers[i] < 0 || recv(servers[i], &number, sizeof number, MSG_WAITALL) != sizeof number) {
            fail_with("accept");
        }
    }
    printf("all of them led, with what they had sent, after %.3f s\n", clock_seconds() - began);
    for (int i = 0; i < count; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    printf("gone %.3f s after the last was closed\n", end(port));
    free(clients);
    free(servers);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench-gate HOST PORT | many COUNT\n");
        return 2;
    }
    return strcmp(argv[1], "many") == 0 ? measure_many(atoi(argv[2])) : measure_server(argv[1], argv[2]);
}
