/*
 * Clients that write whatever happens, and keep what they were told:
 *
 *     bench-writers CONNECTION CLIENTS FIRST_CLIENT FILE
 *
 * Each inserts (client, n) into table "written", n counting up, twenty times a second, and adds to FILE one line for each answer
 * before it goes on: "a CLIENT N" was acknowledged, "d CLIENT N" may or may not be there. After an error it connects again. An
 * answer that does not come within a minute is an error, too. SIGTERM ends it, and it says
 *
 *     acknowledged N errors N unanswered N longest SECONDS
 *
 * and after that a line for each kind of error. The longest is the time between two acknowledgements of one client.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "number.h"

#define PACE_MS 50
#define ANSWER_MS 60000
#define CONNECT_AGAIN_MS 100
#define KINDS 40
#define MOST_CLIENTS 64

typedef struct All {
    const char *uri;
    FILE *file;
    pthread_mutex_t lock;
    long acknowledged, errors, unanswered;
    int64_t longest_ms;
    struct {
        char words[100];
        long count;
    } kinds[KINDS];
} All;

typedef struct Client {
    All *all;
    int number;
    PGconn *connection;
} Client;

static volatile sig_atomic_t over;

static void on_term(int signal)
{
    (void)signal;
    over = 1;
}

static void count_error(All *all, const char *words)
{
    char line[100];
    snprintf(line, sizeof line, "%.*s", (int)strcspn(words, "\n"), words);
    pthread_mutex_lock(&all->lock);
    all->errors++;
    for (size_t i = 0; i < KINDS; i++) {
        if (all->kinds[i].count == 0) {
            snprintf(all->kinds[i].words, sizeof all->kinds[i].words, "%s", line);
        }
        if (strcmp(all->kinds[i].words, line) == 0) {
            all->kinds[i].count++;
            break;
        }
    }
    pthread_mutex_unlock(&all->lock);
}

/* Waits for the socket; false at the end of patience. When all is over a little patience is left. */
static bool wait_for(PGconn *connection, short events, int64_t until)
{
    struct pollfd fd = {.fd = PQsocket(connection), .events = events};
    for (int64_t ended = 0; clock_ms() < until;) {
        int ready = poll(&fd, 1, 200);
        if (ready != 0) {
            return ready > 0 || errno == EINTR;
        }
        ended = over && ended == 0 ? clock_ms() : ended;
        if (ended > 0 && clock_ms() > ended + 5000) {
            return false;
        }
    }
    return false;
}

static bool connect_one(Client *client)
{
    int64_t until = clock_ms() + ANSWER_MS;
    client->connection = PQconnectStart(client->all->uri);
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    while (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
        if (PQstatus(client->connection) == CONNECTION_BAD ||
            !wait_for(client->connection, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, until)) {
            return false;
        }
        state = PQconnectPoll(client->connection);
    }
    return state == PGRES_POLLING_OK;
}

/* True when the server has said yes. *answered: that it has said anything. */
static bool run(PGconn *connection, const char *sql, bool *answered)
{
    int64_t until = clock_ms() + ANSWER_MS;
    bool good = false;
    *answered = false;
    if (!PQsendQuery(connection, sql)) {
        *answered = true;
        return false;
    }
    while (true) {
        while (PQisBusy(connection)) {
            if (!wait_for(connection, POLLIN, until)) {
                return false;
            }
            if (!PQconsumeInput(connection)) {
                *answered = true;
                return false;
            }
        }
        PGresult *result = PQgetResult(connection);
        if (result == NULL) {
            *answered = true;
            return good;
        }
        good = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
}

static void keep(All *all, char what, int client, long n, int64_t waited_ms)
{
    pthread_mutex_lock(&all->lock);
    fprintf(all->file, "%c %d %ld\n", what, client, n);
    fflush(all->file);
    all->acknowledged += what == 'a';
    if (waited_ms > all->longest_ms) {
        all->longest_ms = waited_ms;
    }
    pthread_mutex_unlock(&all->lock);
}

static void *work(void *argument)
{
    Client *client = argument;
    All *all = client->all;
    int64_t last = clock_ms();
    for (long n = 1; !over;) {
        if (client->connection == NULL && !connect_one(client)) {
            if (!over) {
                count_error(all, PQerrorMessage(client->connection));
            }
            PQfinish(client->connection);
            client->connection = NULL;
            clock_pause_ms(CONNECT_AGAIN_MS);
            continue;
        }
        char sql[128];
        bool answered;
        snprintf(sql, sizeof sql, "INSERT INTO written (client, n) VALUES (%d, %ld)", client->number, n);
        if (run(client->connection, sql, &answered)) {
            keep(all, 'a', client->number, n, clock_ms() - last);
            last = clock_ms();
            clock_pause_ms(PACE_MS);
        } else {
            keep(all, 'd', client->number, n, 0);
            if (!over || answered) {
                count_error(all, answered ? PQerrorMessage(client->connection) : "no answer within a minute");
            }
            pthread_mutex_lock(&all->lock);
            all->unanswered += !answered;
            pthread_mutex_unlock(&all->lock);
            PQfinish(client->connection);
            client->connection = NULL;
            clock_pause_ms(CONNECT_AGAIN_MS);
        }
        n++;
    }
    PQfinish(client->connection);
    return NULL;
}

int main(int count, char **arguments)
{
    static All all = {.lock = PTHREAD_MUTEX_INITIALIZER};
    static Client clients[MOST_CLIENTS];
    pthread_t threads[MOST_CLIENTS];
    int number = count == 5 ? number_int(arguments[2]) : 0;
    if (number < 1 || number > MOST_CLIENTS) {
        fprintf(stderr, "usage: bench-writers CONNECTION CLIENTS FIRST_CLIENT FILE\n");
        return 2;
    }
    all.uri = arguments[1];
    all.file = fopen(arguments[4], "w");
    if (all.file == NULL) {
        perror(arguments[4]);
        return 1;
    }
    struct sigaction action = {.sa_handler = on_term};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    for (int i = 0; i < number; i++) {
        clients[i] = (Client){.all = &all, .number = number_int(arguments[3]) + i};
        pthread_create(&threads[i], NULL, work, &clients[i]);
    }
    for (int i = 0; i < number; i++) {
        pthread_join(threads[i], NULL);
    }
    fclose(all.file);
    printf("acknowledged %ld errors %ld unanswered %ld longest %.2f\n", all.acknowledged, all.errors,
           all.unanswered, (double)all.longest_ms / 1000.0);
    for (size_t i = 0; i < KINDS && all.kinds[i].count > 0; i++) {
        printf("%6ld %s\n", all.kinds[i].count, all.kinds[i].words);
    }
    return 0;
}
