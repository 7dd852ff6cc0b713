/*
 * Reads a logical slot from where it stands to a given LSN, throws everything away, and says what that cost:
 *
 *     bench-decode-receive [--lazy] CONNECTION SLOT END_LSN [NAME=VALUE …]
 *     → seconds  CPU seconds of the walsender  messages  bytes
 *
 * Bytes are what goes over the connection for data: of each CopyData message its five bytes of framing, the 24
 * and one of XLogData, and the payload. Nothing is confirmed, so the same slot can be read again. The clock
 * stops with the last message of data; whether the end was reached is asked when there is a pause.
 *
 * Each time bytes come while the reader sleeps, the sending process has to wake it, which on one machine is the dearest
 * part of sending. With --lazy the reader sleeps until LOW_WATER bytes are there, or for TICK_MS, and nobody wakes it
 * for a single message.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lsn.h"

#define LOW_WATER (64 * 1024)
#define TICK_MS 5
#define PAUSE_TICKS 40 /* without a byte: ask how far the server is */
#define COPY_DATA_HEAD 5

typedef struct Receive {
    PGconn *connection;
    Lsn end;
    Lsn reached;
    double started;
    double last;
    uint64_t messages;
    uint64_t bytes;
} Receive;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void fail(const char *what, PGconn *connection)
{
    fprintf(stderr, "bench-decode-receive: %s: %s\n", what, PQerrorMessage(connection));
    exit(1);
}

/* START_REPLICATION with the options in quotes. */
static void start(Receive *receive, const char *slot, char **options, int count)
{
    char command[4096];
    size_t used = (size_t)snprintf(command, sizeof command, "START_REPLICATION SLOT %s LOGICAL 0/0", slot);
    for (int i = 0; i < count && used < sizeof command; i++) {
        char *value = strchr(options[i], '=');
        if (value == NULL) {
            fprintf(stderr, "bench-decode-receive: \"%s\" is not NAME=VALUE\n", options[i]);
            exit(2);
        }
        used +=
            (size_t)snprintf(command + used, sizeof command - used, "%s\"%.*s\" '%s'%s", i == 0 ? " (" : ", ",
                             (int)(value - options[i]), options[i], value + 1, i == count - 1 ? ")" : "");
    }
    receive->started = receive->last = now();
    PGresult *result = PQexec(receive->connection, command);
    if (PQresultStatus(result) != PGRES_COPY_BOTH) {
        fail(command, receive->connection);
    }
    PQclear(result);
}

/* A status that confirms nothing; the server answers with how far it is. */
static void ask(Receive *receive)
{
    char status[34] = {'r'};
    status[33] = 1;
    if (PQputCopyData(receive->connection, status, sizeof status) != 1 || PQflush(receive->connection) != 0) {
        fail("status", receive->connection);
    }
}

static void take(Receive *receive, const char *message, int size)
{
    if (message[0] == 'k') {
        uint64_t position;
        memcpy(&position, message + 1, sizeof position);
        receive->reached = be64toh(position);
        return;
    }
    receive->messages++;
    receive->bytes += (uint64_t)size + COPY_DATA_HEAD;
    receive->last = now();
}

/* For the stream alone: libpq would wait for the answer to a command for ever. A Unix socket does not know it. */
static void sleep_longer(const Receive *receive)
{
    int bytes = LOW_WATER;
    setsockopt(PQsocket(receive->connection), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
}

/* Takes the messages that are here whole; true when there was one. */
static bool take_all(Receive *receive)
{
    char *message;
    int size;
    uint64_t before = receive->messages;
    while ((size = PQgetCopyData(receive->connection, &message, 1)) > 0) {
        take(receive, message, size);
        PQfreemem(message);
    }
    if (size < 0) {
        fail("stream", receive->connection);
    }
    return receive->messages > before;
}

/* Sleeps before each reading, as pg_recvlogical and the server's own receiver do. */
static void receive_all(Receive *receive)
{
    for (int idle = 0; receive->reached < receive->end; idle++) {
        struct pollfd wait = {.fd = PQsocket(receive->connection), .events = POLLIN};
        if (take_all(receive)) {
            idle = 0;
        }
        if (idle == PAUSE_TICKS) {
            ask(receive);
            idle = 0;
        }
        if ((poll(&wait, 1, TICK_MS) < 0 && errno != EINTR) || PQconsumeInput(receive->connection) != 1) {
            fail("stream", receive->connection);
        }
    }
}

/* User and system time of a process of this machine: fields 14 and 15, counted behind the name in brackets. */
static double cpu_seconds(int pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    size_t size = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    text[size] = '\0';
    unsigned long user = 0, system = 0;
    const char *fields = strrchr(text, ')');
    if (fields == NULL ||
        sscanf(fields, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) {
        fprintf(stderr, "bench-decode-receive: cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

int main(int argc, char **argv)
{
    Receive receive = {0};
    bool lazy = argc > 1 && strcmp(argv[1], "--lazy") == 0;
    argv += lazy;
    argc -= lazy;
    if (argc < 4 || !lsn_parse(argv[3], &receive.end)) {
        fprintf(stderr, "usage: bench-decode-receive [--lazy] CONNECTION SLOT END_LSN [NAME=VALUE …]\n");
        return 2;
    }
    receive.connection = PQconnectdb(argv[1]);
    if (PQstatus(receive.connection) != CONNECTION_OK) {
        fail("connection", receive.connection);
    }
    int pid = PQbackendPID(receive.connection);
    start(&receive, argv[2], argv + 4, argc - 4);
    if (lazy) {
        sleep_longer(&receive);
    }
    receive_all(&receive);
    printf("%.3f %.2f %" PRIu64 " %" PRIu64 "\n", receive.last - receive.started, cpu_seconds(pid),
           receive.messages, receive.bytes);
    PQfinish(receive.connection);
    return 0;
}
