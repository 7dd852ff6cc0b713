/*
 * Rows on their way, between two servers that do as a script says: one has a row that is longer than any chunk, the other one takes
 * down in what pieces it comes.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "command.h"
#include "local_server.h"
#include "relay.h"

#define ROW ((size_t)3 * 1024 * 1024 + 7)
#define CHUNK ((size_t)256 * 1024)

bool interrupted(void)
{
    return false;
}

typedef struct Server {
    bool is_source;
    LocalServer local;
    int client;
    pthread_t thread;
    Database *database;
    size_t longest, taken; /* bytes of CopyData, by message and in all */
} Server;

static bool say(const Server *server, char kind, const void *body, size_t size)
{
    uint32_t length = htonl((uint32_t)size + 4);
    char head[5] = {kind};
    memcpy(head + 1, &length, sizeof length);
    if (write(server->client, head, sizeof head) != (ssize_t)sizeof head) {
        return false;
    }
    for (size_t done = 0; done < size;) {
        ssize_t now = write(server->client, (const char *)body + done, size - done);
        if (now <= 0) {
            return false;
        }
        done += (size_t)now;
    }
    return true;
}

static bool hear_bytes(const Server *server, char *into, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t now = read(server->client, into + done, size - done);
        if (now <= 0) {
            return false;
        }
        done += (size_t)now;
    }
    return true;
}

/* A message's kind and the size of its body, which is thrown away; 0 at the end. */
static char hear(const Server *server, size_t *size)
{
    static char body[2 * ROW];
    uint32_t length;
    char head[5];
    if (!hear_bytes(server, head, sizeof head)) {
        return 0;
    }
    memcpy(&length, head + 1, sizeof length);
    *size = ntohl(length) - 4;
    return *size <= sizeof body && hear_bytes(server, body, *size) ? head[0] : 0;
}

static bool send_row(const Server *server)
{
    char *row = calloc(1, ROW);
    bool sent = row != NULL && say(server, 'd', row, ROW);
    free(row);
    return sent && say(server, 'c', NULL, 0);
}

static bool take_rows(Server *server)
{
    size_t size = 0;
    char kind;
    while ((kind = hear(server, &size)) == 'd') {
        server->longest = size > server->longest ? size : server->longest;
        server->taken += size;
    }
    return kind == 'c';
}

static void *serve(void *argument)
{
    static const char welcome[] = "R\0\0\0\x08\0\0\0\0K\0\0\0\x0c\0\0\0\x07\0\0\0\x09Z\0\0\0\x05I";
    static const char format[] = "\0\0\0"; /* text, no columns */
    Server *server = argument;
    size_t size = 0;
    char hello[1024];
    server->client = accept(server->local.listener, NULL, NULL);
    if (read(server->client, hello, sizeof hello) <= 0 ||
        write(server->client, welcome, sizeof welcome - 1) != sizeof welcome - 1 ||
        hear(server, &size) != 'Q' || !say(server, server->is_source ? 'H' : 'G', format, 3) ||
        !(server->is_source ? send_row(server) : take_rows(server)) ||
        !say(server, 'C', "COPY 1", sizeof "COPY 1") || !say(server, 'Z', "I", 1)) {
        return NULL;
    }
    return argument;
}

static void start(Server *server, bool is_source)
{
    PGresult *begun;
    Error error;
    *server = (Server){.is_source = is_source, .client = -1};
    local_server_open(&server->local);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    assert_int_equal(database_connect(server->local.uri, DATABASE_PROXY, "test", &server->database, &error),
                     0);
    begun = PQexec(database_connection(server->database), "COPY");
    assert_int_equal(PQresultStatus(begun), is_source ? PGRES_COPY_OUT : PGRES_COPY_IN);
    PQclear(begun);
}

static void end(Server *server)
{
    void *well;
    database_close(server->database);
    assert_int_equal(pthread_join(server->thread, &well), 0);
    assert_non_null(well);
    close(server->client);
    local_server_close(&server->local);
}

/* In one piece libpq would move what is left of it once for each time the socket takes some: minutes for half a gigabyte. */
static void long_row_goes_in_chunks(void **state)
{
    (void)state;
    Server source, target;
    _Atomic int64_t moving = 0;
    const SessionWait wait = {.limit_seconds = 60, .what = "carrying a row"};
    const RelayRoute route = {.wait = &wait, .moving = &moving};
    RelayCount count = {0};
    Error error;
    start(&source, true);
    start(&target, false);
    assert_int_equal(relay_rows(source.database, target.database, &route, &count, &error), 0);
    end(&source);
    end(&target);
    assert_int_equal(count.rows, 1);
    assert_int_equal(count.bytes, ROW);
    assert_int_equal(target.taken, ROW);
    assert_in_range(target.longest, 1, CHUNK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(long_row_goes_in_chunks)};
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
