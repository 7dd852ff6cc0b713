/*
 * The gate as its user sees it: what is sent into it waits, then arrives; it outlives a part of itself; it ends
 * when its last connection has ended.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "gate.h"

static int start(void)
{
    int port = 0, fd;
    Error error;
    assert_int_equal(gate_take_port(&port, &fd, &error), 0);
    assert_int_equal(gate_start(port, fd, "/dev/null", &error), 0);
    return port;
}

static int connect_to(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool readable(int fd, int ms)
{
    return poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, ms) == 1;
}

static void expect(int fd, const char *text)
{
    char got[64] = "";
    assert_true(readable(fd, 5000));
    assert_int_equal(recv(fd, got, sizeof got - 1, 0), strlen(text));
    assert_string_equal(got, text);
}

/* Waits until the gate is gone (or there again), for at most limit_ms. */
static bool becomes(int port, bool there, int limit_ms)
{
    for (int waited = 0; waited < limit_ms; waited += 10) {
        if (gate_answers(port, &(GateAnswer){0}) == there) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000L}, NULL);
    }
    return false;
}

/* The child of the keeper. */
static int child_of(int keeper)
{
    char path[64];
    int child = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", keeper, keeper);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &child), 1);
    fclose(file);
    return child;
}

/* Both parts, in the order in which neither has the time to begin the other again. */
static void kill_whole(int port, int child)
{
    GateAnswer answer;
    assert_true(gate_answers(port, &answer));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(kill(answer.pid, SIGKILL), 0);
    assert_true(becomes(port, false, 1000));
}

static void what_is_sent_waits_and_then_arrives(void **state)
{
    (void)state;
    Error error;
    GateAnswer answer;
    int server_port = 0, listener;
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    char text[8];
    snprintf(text, sizeof text, "%d", server_port);

    int port = start();
    int client = connect_to(port);
    assert_int_equal(send(client, "hello", 5, 0), 5);
    assert_false(readable(listener, 100));
    assert_true(gate_answers(port, &answer));
    assert_string_equal(answer.mode, "hold");
    assert_int_equal(answer.waiting, 1);
    assert_int_equal(gate_end(port, &error), -1);

    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    assert_true(readable(listener, 5000));
    int server = accept(listener, NULL, NULL);
    expect(server, "hello");
    assert_int_equal(send(server, "welcome", 7, 0), 7);
    expect(client, "welcome");

    assert_int_equal(gate_end(port, &error), 0);
    assert_false(becomes(port, false, 500));
    assert_int_equal(send(client, "more", 4, 0), 4);
    expect(server, "more");
    close(server);
    assert_true(readable(client, 5000));
    assert_true(becomes(port, false, 5000));
    close(client);
    close(listener);
}

/* A session through the gate, whose server has said that its transaction is in that state. */
static void join(int port, int listener, const char *ready, int *client, int *server)
{
    *client = connect_to(port);
    assert_int_equal(send(*client, "\0\0\0\011\0\003\0\0\0", 9, 0), 9);
    *server = accept(listener, NULL, NULL);
    char got[16];
    assert_true(readable(*server, 5000));
    assert_int_equal(recv(*server, got, sizeof got, 0), 9);
    assert_int_equal(send(*server, ready, 6, 0), 6);
    assert_true(readable(*client, 5000));
    assert_int_equal(recv(*client, got, sizeof got, 0), 6);
}

static void a_gate_that_ends_closes_idle_sessions_only(void **state)
{
    (void)state;
    Error error;
    int server_port = 0, listener, idle, busy, server_of_idle, server_of_busy;
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    char text[8];
    snprintf(text, sizeof text, "%d", server_port);
    int port = start();
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    join(port, listener, "Z\0\0\0\005I", &idle, &server_of_idle);
    join(port, listener, "Z\0\0\0\005T", &busy, &server_of_busy);
    assert_int_equal(gate_end(port, &error), 0);
    assert_true(readable(idle, 20000));
    assert_int_equal(recv(idle, text, sizeof text, 0), 0);
    assert_false(readable(busy, 500));
    assert_true(gate_answers(port, &(GateAnswer){0}));
    close(server_of_busy);
    assert_true(becomes(port, false, 5000));
    close(server_of_idle);
    close(idle);
    close(busy);
    close(listener);
}

static void a_login_that_failed_may_be_tried_again(void **state)
{
    (void)state;
    Error error;
    int server_port = 0, listener, client, server;
    char text[8];
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    snprintf(text, sizeof text, "%d", server_port);
    int port = start();
    GateAnswer answer;
    assert_true(gate_answers(port, &answer));
    int child = child_of(answer.pid);
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    join(port, listener, "E\0\0\0\005\0", &client, &server); /* it is shutting down */
    assert_int_equal(gate_end(port, &error), 0);
    close(server);
    assert_true(readable(client, 5000));
    close(client);
    assert_false(becomes(port, false, 1000));
    join(port, listener, "Z\0\0\0\005I", &client, &server);
    close(client);
    close(server);
    close(listener);
    kill_whole(port, child);
}

static void a_server_that_comes_late_is_reached(void **state)
{
    (void)state;
    Error error;
    int server_port = 0, listener;
    char text[8];
    int port = start();
    snprintf(text, sizeof text, "%d", port);
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), -1);
    assert_non_null(strstr(error.message, "the gate itself"));

    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    snprintf(text, sizeof text, "%d", server_port);
    close(listener);
    int client = connect_to(port);
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    assert_true(readable(listener, 5000));
    int server = accept(listener, NULL, NULL);
    close(client);
    assert_true(readable(server, 5000));
    assert_int_equal(gate_end(port, &error), 0);
    assert_true(becomes(port, false, 5000));
    close(server);
    close(listener);
}

static void a_gate_that_died_is_made_again_on_its_port(void **state)
{
    (void)state;
    Error error;
    GateAnswer answer;
    int port = start(), fd;
    assert_true(gate_answers(port, &answer));
    int waiting = connect_to(port);
    kill_whole(port, child_of(answer.pid));
    assert_int_equal(gate_take_port(&port, &fd, &error), 0);
    assert_int_equal(gate_start(port, fd, "/dev/null", &error), 0);
    close(waiting);
    int client = connect_to(port);
    assert_true(client >= 0);
    close(client);
    assert_true(gate_answers(port, &answer));
    kill_whole(port, child_of(answer.pid));
}

static void without_its_server_it_answers_again_by_itself(void **state)
{
    (void)state;
    GateAnswer answer;
    int port = start();
    assert_true(gate_answers(port, &answer));
    assert_int_equal(kill(child_of(answer.pid), SIGKILL), 0);
    int client = connect_to(port);
    assert_true(client >= 0);
    assert_true(becomes(port, true, 1000));
    close(client);
    kill_whole(port, child_of(answer.pid));
}

/* A keeper other than that one, of a gate that answers. */
static bool has_other_keeper(int port, int keeper, GateAnswer *answer)
{
    for (int waited = 0; waited < 1000; waited += 10) {
        if (gate_answers(port, answer) && answer->pid != keeper) {
            return true;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000000L}, NULL);
    }
    return false;
}

static void without_its_keeper_nobody_notices(void **state)
{
    (void)state;
    Error error;
    GateAnswer first, second, third;
    int server_port = 0, listener;
    char text[8];
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    snprintf(text, sizeof text, "%d", server_port);
    int port = start();
    int client = connect_to(port);
    assert_int_equal(send(client, "hello", 5, 0), 5);
    assert_true(gate_answers(port, &first));
    int child = child_of(first.pid);
    assert_int_equal(kill(first.pid, SIGKILL), 0);
    assert_true(has_other_keeper(port, first.pid, &second));
    assert_int_equal(second.waiting, 1);

    /* The new one keeps the port as the old one did, and is replaced as that was. */
    assert_int_equal(kill(second.pid, SIGKILL), 0);
    assert_true(has_other_keeper(port, second.pid, &third));
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    int server = accept(listener, NULL, NULL);
    expect(server, "hello");
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_true(becomes(port, true, 1000));
    assert_int_equal(gate_end(port, &error), 0);
    assert_true(becomes(port, false, 5000));
    close(server);
    close(client);
    close(listener);
}

/* A process that answers for the gate's hold, and ends. */
static void answer_for_and_die(int port, int limit_ms, int server_port)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        Error error;
        char text[8];
        snprintf(text, sizeof text, "%d", server_port);
        _exit(gate_guard(port, limit_ms, "127.0.0.1", text, &error) == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void a_hold_that_nobody_answers_for_ends_at_its_limit(void **state)
{
    (void)state;
    Error error;
    GateAnswer answer;
    int server_port = 0, listener;
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    char text[8];
    snprintf(text, sizeof text, "%d", server_port);
    int port = start();
    int client = connect_to(port);
    assert_int_equal(send(client, "hello", 5, 0), 5);

    /* Past the limit, but whoever answers for it, this process, is there. */
    assert_int_equal(gate_guard(port, 1, "127.0.0.1", text, &error), 0);
    assert_false(readable(listener, 500));
    /* Another answers for it and is gone: within the limit it is held, and past it led back. A part that died in between
     * changes nothing. */
    answer_for_and_die(port, 1500, server_port);
    assert_false(readable(listener, 500));
    assert_true(gate_answers(port, &answer));
    assert_string_equal(answer.mode, "hold");
    assert_int_equal(kill(answer.pid, SIGKILL), 0);
    assert_true(readable(listener, 5000));
    int server = accept(listener, NULL, NULL);
    expect(server, "hello");
    assert_true(gate_answers(port, &answer));
    assert_string_equal(answer.mode, "open");
    assert_int_equal(gate_guard(port, 1000, "127.0.0.1", text, &error), -1);

    close(client);
    assert_int_equal(gate_end(port, &error), 0);
    assert_true(becomes(port, false, 5000));
    close(server);
    close(listener);
}

#define MANY 4000

static void thousands_are_held_and_led(void **state)
{
    (void)state;
    static int clients[MANY], servers[MANY];
    struct rlimit limit, usual = {0};
    Error error;
    GateAnswer answer;
    int server_port = 0, listener;
    char text[8];
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2 * MANY + 100) {
        skip(); /* no process of this user may have so many descriptors */
    }
    /* The gate begins with the usual limit. */
    usual.rlim_max = limit.rlim_max;
    usual.rlim_cur = 1024;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
    assert_true(gate_most() >= MANY);
    int port = start();
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(gate_take_port(&server_port, &listener, &error), 0);
    snprintf(text, sizeof text, "%d", server_port);

    for (int i = 0; i < MANY; i++) {
        clients[i] = connect_to(port);
        assert_true(clients[i] >= 0);
        assert_int_equal(send(clients[i], &i, sizeof i, 0), sizeof i);
    }
    for (answer.waiting = 0; answer.waiting < MANY;) {
        assert_true(gate_answers(port, &answer));
    }
    assert_int_equal(gate_open(port, "127.0.0.1", text, &error), 0);
    long long sum = 0;
    for (int i = 0, number; i < MANY; i++) {
        assert_true(readable(listener, 20000));
        servers[i] = accept(listener, NULL, NULL);
        assert_true(readable(servers[i], 20000));
        assert_int_equal(recv(servers[i], &number, sizeof number, 0), sizeof number);
        sum += number;
    }
    assert_int_equal(sum, (long long)MANY * (MANY - 1) / 2);
    assert_true(gate_answers(port, &answer));
    assert_int_equal(answer.led, MANY);
    assert_int_equal(gate_end(port, &error), 0);
    for (int i = 0; i < MANY; i++) {
        close(clients[i]);
        close(servers[i]);
    }
    assert_true(becomes(port, false, 20000));
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_waits_and_then_arrives),
        cmocka_unit_test(a_gate_that_ends_closes_idle_sessions_only),
        cmocka_unit_test(a_login_that_failed_may_be_tried_again),
        cmocka_unit_test(a_server_that_comes_late_is_reached),
        cmocka_unit_test(a_gate_that_died_is_made_again_on_its_port),
        cmocka_unit_test(without_its_server_it_answers_again_by_itself),
        cmocka_unit_test(without_its_keeper_nobody_notices),
        cmocka_unit_test(a_hold_that_nobody_answers_for_ends_at_its_limit),
        cmocka_unit_test(thousands_are_held_and_led),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
