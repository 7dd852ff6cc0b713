/*
 * A thread serves the connection until the stream is open or the receiver gives up, since receiver_open waits for
 * answers. After that nobody waits, and the test has the connection.
 */
#include "stand_in.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void must(bool holds, const char *what)
{
    if (!holds) {
        perror(what);
        abort();
    }
}

void stand_in_start(StandIn *stand_in, char uri[128])
{
    local_server_open(&stand_in->local);
    stand_in->connection = -1;
    snprintf(uri, 128, "postgresql://someone@/db?host=%s&port=5432", stand_in->local.folder);
}

void stand_in_stop(StandIn *stand_in)
{
    if (stand_in->connection >= 0) {
        close(stand_in->connection);
    }
    local_server_close(&stand_in->local);
}

static bool read_whole(int fd, void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)data + done, size - done);
        if (got <= 0) {
            return false;
        }
        done += (size_t)got;
    }
    return true;
}

static uint32_t read_length(int fd)
{
    uint32_t length;
    return read_whole(fd, &length, sizeof length) ? ntohl(length) - (uint32_t)sizeof length : 0;
}

void stand_in_say(StandIn *stand_in, char type, const void *data, size_t size)
{
    uint32_t length = htonl((uint32_t)(size + sizeof length));
    must(write(stand_in->connection, &type, 1) == 1, "write");
    must(write(stand_in->connection, &length, sizeof length) == sizeof length, "write");
    must(write(stand_in->connection, data, size) == (ssize_t)size, "write");
}

void stand_in_send(StandIn *stand_in, const void *data, size_t size)
{
    stand_in_say(stand_in, 'd', data, size);
}

void stand_in_send_part(StandIn *stand_in, const void *data, size_t size, size_t from, size_t to)
{
    uint32_t length = htonl((uint32_t)(size + sizeof length));
    if (from == 0) {
        must(write(stand_in->connection, "d", 1) == 1, "write");
        must(write(stand_in->connection, &length, sizeof length) == sizeof length, "write");
    }
    must(write(stand_in->connection, (const char *)data + from, to - from) == (ssize_t)(to - from), "write");
}

size_t stand_in_read(StandIn *stand_in, void *data, size_t size)
{
    char type;
    must(read_whole(stand_in->connection, &type, 1) && type == 'd', "a CopyData message");
    size_t length = read_length(stand_in->connection);
    must(length <= size && read_whole(stand_in->connection, data, length), "a CopyData message");
    return length;
}

static void say_ready(StandIn *stand_in, const char *tag)
{
    stand_in_say(stand_in, 'C', tag, strlen(tag) + 1);
    stand_in_say(stand_in, 'Z', "I", 1);
}

static void say_parameter(StandIn *stand_in, const char *name, const char *value)
{
    char text[128];
    int size = snprintf(text, sizeof text, "%s%c%s", name, 0, value);
    stand_in_say(stand_in, 'S', text, (size_t)size + 1);
}

static void greet(StandIn *stand_in)
{
    char startup[4096];
    size_t size = read_length(stand_in->connection);
    must(size <= sizeof startup && read_whole(stand_in->connection, startup, size), "startup");
    stand_in_say(stand_in, 'R', "\0\0\0\0", 4);
    say_parameter(stand_in, "server_version", "11.22");
    say_parameter(stand_in, "server_encoding", "UTF8");
    say_parameter(stand_in, "client_encoding", "UTF8");
    say_parameter(stand_in, "standard_conforming_strings", "on");
    stand_in_say(stand_in, 'Z', "I", 1);
}

static size_t put(char *out, size_t at, const void *data, size_t size)
{
    memcpy(out + at, data, size);
    return at + size;
}

/* Four columns of text, and one row of them when there is one. */
static void say_row(StandIn *stand_in, const char *const values[4])
{
    static const char column[] = "c\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0";
    char text[512];
    size_t used = put(text, 0, "\0\4", 2);
    for (int i = 0; i < 4; i++) {
        used = put(text, used, column, sizeof column);
    }
    stand_in_say(stand_in, 'T', text, used);
    used = put(text, 0, "\0\4", 2);
    for (int i = 0; values != NULL && i < 4; i++) {
        uint32_t length = htonl((uint32_t)strlen(values[i]));
        used = put(text, put(text, used, &length, sizeof length), values[i], strlen(values[i]));
    }
    if (values != NULL) {
        stand_in_say(stand_in, 'D', text, used);
    }
    say_ready(stand_in, "SELECT");
}

/* False once the stream is open. */
static bool answer(StandIn *stand_in, const char *query)
{
    if (strncmp(query, "IDENTIFY_SYSTEM", 15) == 0) {
        say_row(stand_in,
                (const char *[]){stand_in->system, stand_in->timeline, stand_in->end, stand_in->database});
    } else if (strncmp(query, "TIMELINE_HISTORY", 16) == 0) {
        say_row(stand_in, (const char *[]){"history", stand_in->history, "", ""});
    } else if (strstr(query, "pg_terminate_backend") != NULL) {
        stand_in->active = 0;
        say_row(stand_in, NULL);
    } else if (strstr(query, "pg_replication_slots") != NULL) {
        const char *slot[] = {stand_in->plugin, stand_in->active > 0 ? "t" : "f", "4711",
                              stand_in->confirmed};
        stand_in->active--;
        say_row(stand_in, stand_in->plugin != NULL ? slot : NULL);
    } else if (strncmp(query, "START_REPLICATION", 17) == 0) {
        snprintf(stand_in->command, sizeof stand_in->command, "%.500s", query);
        stand_in_say(stand_in, 'W', "\0\0\0", 3);
        return false;
    } else {
        say_ready(stand_in, "SET");
    }
    return true;
}

static void *serve(void *context)
{
    StandIn *stand_in = context;
    char query[4096], type;
    stand_in->connection = accept(stand_in->local.listener, NULL, NULL);
    greet(stand_in);
    do {
        if (!read_whole(stand_in->connection, &type, 1) || type != 'Q') {
            break;
        }
        size_t size = read_length(stand_in->connection);
        must(size > 0 && size <= sizeof query && read_whole(stand_in->connection, query, size), "a query");
    } while (answer(stand_in, query));
    return NULL;
}

int stand_in_open(StandIn *stand_in, const ReceiverOptions *options, Receiver **out, Error *error)
{
    pthread_t thread;
    must(pthread_create(&thread, NULL, serve, stand_in) == 0, "pthread_create");
    int status = receiver_open(options, out, error);
    pthread_join(thread, NULL);
    return status;
}
