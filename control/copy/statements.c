/*
 * A statement that the target refuses is told, and the others go on.
 */
#include "statements.h"

#include <string.h>

#include "crew.h"
#include "session.h"
#include "worker.h"

#define LONGEST_SECONDS (24 * 3600)

typedef struct Statements {
    Copy *copy;
    char *const *list;
    int count;
    const char *what;
    atomic_int next;
    atomic_bool stop;
} Statements;

static int run_one(Database *target, const char *sql, const SessionWait *wait, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(target, sql, wait, &result, error);
    PQclear(result);
    return status;
}

static int run_some(const CrewMember *member, Error *error)
{
    Statements *statements = member->context;
    Database *target = NULL;
    SessionWait wait = {.stop = member->stop, .limit_seconds = LONGEST_SECONDS, .what = statements->what};
    int status = worker_open_target(statements->copy, SESSION_BUILDS, NULL, &target, error);
    while (status == 0) {
        int number = atomic_fetch_add(&statements->next, 1);
        if (number >= statements->count || atomic_load(member->stop)) {
            break;
        }
        progress_job(statements->copy->progress, member->number, statements->list[number], 0);
        status = run_one(target, statements->list[number], &wait, error);
        /* Of class 08 are also foreign servers that do not answer, while our own connection stands. */
        if (status != 0 && error->sqlstate[0] != '\0' && strcmp(error->sqlstate, "57014") != 0 &&
            PQstatus(database_connection(target)) == CONNECTION_OK) {
            progress_warn(statements->copy->progress, "%s: %s", statements->list[number], error->message);
            *error = (Error){0};
            status = 0;
        }
    }
    progress_job(statements->copy->progress, member->number, NULL, 0);
    database_close(target);
    return status;
}

static int idle(void *context, Error *error)
{
    Statements *statements = context;
    (void)error;
    progress_tick(statements->copy->progress);
    return 0;
}

int statements_run(Copy *copy, char *const *list, int count, const char *what, Error *error)
{
    Statements statements = {.copy = copy, .list = list, .count = count, .what = what};
    return crew_run(copy->options->jobs, run_some, idle, &statements, &statements.stop, error);
}
