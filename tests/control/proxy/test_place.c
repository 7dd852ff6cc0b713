/*
 * Whether a process is known not to be there any more: nobody listens at its place, and that is on this host.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "local_server.h"
#include "place.h"

/* A port of the loopback; listens there when asked to. */
static int take_port(bool listens, int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, size), 0);
    assert_int_equal(listens ? listen(fd, 1) : 0, 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void a_port_is_deserted_when_nobody_listens(void **state)
{
    (void)state;
    for (int listens = 0; listens < 2; listens++) {
        char uri[128];
        int port, fd = take_port(listens, &port);
        snprintf(uri, sizeof uri, "postgresql://admin:secret@127.0.0.1:%d/pgbouncer", port);
        assert_int_equal(place_is_deserted(uri), !listens);
        snprintf(uri, sizeof uri, "host=127.0.0.1 port=%d", port);
        assert_int_equal(place_is_deserted(uri), !listens);
        close(fd);
    }
}

/* Of a process that hangs the kernel still takes connections: nothing is known. */
static void a_socket_is_deserted_when_nobody_listens(void **state)
{
    (void)state;
    LocalServer server;
    local_server_open(&server);
    assert_false(place_is_deserted(server.uri));
    local_server_close(&server);
    assert_true(place_is_deserted(server.uri));
}

static void of_other_hosts_nothing_is_known(void **state)
{
    (void)state;
    static const char *const places[] = {"host=192.0.2.1 port=6432",
                                         "host=db.example port=6432",
                                         "host=127.0.0.1,127.0.0.2 port=1",
                                         "port=1 dbname=pgbouncer",
                                         "service=proxy",
                                         "host='"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        assert_false(place_is_deserted(places[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_is_deserted_when_nobody_listens),
        cmocka_unit_test(a_socket_is_deserted_when_nobody_listens),
        cmocka_unit_test(of_other_hosts_nothing_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
