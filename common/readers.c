/*
 * Numbers go round: number n is read by session n modulo how many there are, the lead being the first. A session has one statement
 * under way; before it gets its next one, what it has read is taken.
 */
#include "readers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"

#define MOST 8

struct Readers {
    Database *sessions[MOST]; /* the first is the lead's, borrowed */
    size_t count;
    Text pids;
};

/* Of a server's run, not only of its files: a standby has the same system identifier. */
static char *identify(Database *database)
{
    char *out = NULL;
    Error ignored;
    return database_value(
               database, &out, &ignored,
               "SELECT concat(system_identifier, ' ', extract(epoch FROM pg_postmaster_start_time()), ' ',"
               " current_database()) FROM pg_control_system()",
               0) == 0
               ? out
               : NULL;
}

static void add(Readers *readers, Database *reader)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", PQbackendPID(database_connection(reader)));
    text_array_add(&readers->pids, pid);
    readers->sessions[readers->count++] = reader;
}

Readers *readers_open(Database *lead, DatabaseEnd end, const char *uri, const char *purpose, int count)
{
    Readers *readers = calloc(1, sizeof *readers);
    char *identity = identify(lead);
    bool same = identity != NULL;
    readers->sessions[readers->count++] = lead;
    for (int i = 0; same && i < count && readers->count < MOST; i++) {
        Database *reader = NULL;
        Error ignored;
        if (database_connect_within(uri, end, purpose, database_limits(lead), &reader, &ignored) != 0) {
            break;
        }
        char *who = identify(reader);
        same = who != NULL && strcmp(who, identity) == 0;
        free(who);
        if (same) {
            add(readers, reader);
        } else {
            database_close(reader);
        }
    }
    free(identity);
    text_array_end(&readers->pids);
    return readers;
}

void readers_free(Readers *readers)
{
    if (readers == NULL) {
        return;
    }
    for (size_t i = 1; i < readers->count; i++) {
        database_close(readers->sessions[i]);
    }
    text_free(&readers->pids);
    free(readers);
}

size_t readers_width(const Readers *readers)
{
    return readers != NULL ? readers->count : 1;
}

const char *readers_pids(const Readers *readers)
{
    return readers->pids.data;
}

typedef struct Round {
    Database *const *sessions;
    size_t count;
    size_t asked, taken; /* numbers */
    const Reading *reading;
} Round;

/* *more: there was something to ask. */
static int ask_next(Round *round, bool *more, Error *error)
{
    Text sql = {0};
    int status = 0;
    *more = round->reading->ask(round->reading->context, round->asked, &sql);
    if (*more) {
        Query query = {.sql = sql.data, .what = "reading"};
        status = query_send(round->sessions[round->asked++ % round->count], &query, error);
    }
    text_free(&sql);
    return status;
}

static int take_next(Round *round, Error *error)
{
    PGresult *rows = NULL;
    Query query = {.what = "reading"};
    size_t number = round->taken++;
    if (query_finish(round->sessions[number % round->count], &query, &rows, error) != 0) {
        return -1;
    }
    round->reading->take(round->reading->context, number, rows);
    PQclear(rows);
    return 0;
}

int readers_run(Readers *readers, Database *lead, const Reading *reading, Error *error)
{
    bool helped = readers != NULL && readers->sessions[0] == lead;
    Round round = {.sessions = helped ? readers->sessions : &lead,
                   .count = helped ? readers->count : 1,
                   .reading = reading};
    bool blocks = PQisnonblocking(database_connection(lead)) == 0, more = true;
    int status = 0;
    for (size_t i = 1; i < round.count; i++) {
        database_limit(round.sessions[i], database_limits(lead));
    }
    while (status == 0 && (more || round.taken < round.asked)) {
        status = more && round.asked - round.taken < round.count ? ask_next(&round, &more, error)
                                                                 : take_next(&round, error);
    }
    if (blocks && PQstatus(database_connection(lead)) == CONNECTION_OK) {
        PQsetnonblocking(database_connection(lead), 0);
    }
    return status;
}
