/*
 * ANALYZE of several tables does each in a transaction of its own, up to the first that fails: then they are done one by one, so that
 * it is known which one it is.
 */
#include "statements.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "session.h"
#include "text.h"
#include "worker.h"
#include "yard.h"

#define LONGEST_SECONDS (24 * 3600)
#define TOGETHER 50
#define USUAL_COLUMNS 10

typedef struct Statements {
    Copy *copy;
    const PGresult *rows;
    int count;
    int large;    /* of them: from there on all are small */
    int together; /* small ones in one statement: so few that there is work for all */
    atomic_int next;
    atomic_bool stop;
} Statements;

static int run(Database *target, const char *sql, const SessionWait *wait, Error *error)
{
    PGresult *result = NULL;
    int status = session_run(target, sql, wait, &result, error);
    PQclear(result);
    return status;
}

/* Of class 08 are also foreign servers that do not answer, while our own connection stands. */
static bool is_refused(Database *target, const Error *error)
{
    return error->sqlstate[0] != '\0' && strcmp(error->sqlstate, "57014") != 0 &&
           PQstatus(database_connection(target)) == CONNECTION_OK;
}

/* The tables from one on and before another. */
static int analyze(const Statements *statements, Database *target, int from, int to, const SessionWait *wait,
                   Error *error)
{
    Text sql = {0};
    text_append(&sql, "ANALYZE ");
    for (int i = from; i < to; i++) {
        text_printf(&sql, "%s%s", i > from ? ", " : "", PQgetvalue(statements->rows, i, 0));
    }
    int status = run(target, sql.data, wait, error);
    bool refused = status != 0 && is_refused(target, error);
    if (refused && to - from == 1) {
        progress_warn(statements->copy->progress, "%s: %s", sql.data, error->message);
    }
    text_free(&sql);
    if (!refused) {
        return status;
    }
    *error = (Error){0};
    status = 0;
    for (int i = from; status == 0 && to - from > 1 && i < to; i++) {
        status = analyze(statements, target, i, i + 1, wait, error);
    }
    return status;
}

/* The tables of that turn: large ones alone. */
static void choose(const Statements *statements, int turn, int *from, int *to)
{
    int beyond = turn - statements->large;
    *from = beyond < 0 ? turn : statements->large + beyond * statements->together;
    *to = beyond < 0 ? turn + 1 : *from + statements->together;
    *to = *to < statements->count ? *to : statements->count;
}

/* Whoever has had very many tables in hand has another session; or, where there is none, goes on with the same. */
static void renew(const Statements *statements, size_t *known, Database **target)
{
    Database *fresh = NULL;
    Error ignored;
    if (*known < SESSION_FULL) {
        return;
    }
    *known = 0;
    if (worker_open_target(statements->copy, SESSION_BUILDS, NULL, &fresh, &ignored) == 0) {
        database_close(*target);
        *target = fresh;
    }
}

static int run_some(const CrewMember *member, Error *error)
{
    Statements *statements = member->context;
    Progress *progress = statements->copy->progress;
    Database *target = NULL;
    size_t known = 0;
    SessionWait wait = {.stop = member->stop, .limit_seconds = LONGEST_SECONDS, .what = "analyzing"};
    int status = worker_open_target(statements->copy, SESSION_BUILDS, NULL, &target, error);
    while (status == 0 && !atomic_load(member->stop)) {
        int from, to;
        choose(statements, atomic_fetch_add(&statements->next, 1), &from, &to);
        if (from >= statements->count) {
            break;
        }
        progress_job(progress, member->number, PQgetvalue(statements->rows, from, 0), 0);
        known += (size_t)(to - from) * (SESSION_TABLE + USUAL_COLUMNS);
        renew(statements, &known, &target);
        status = analyze(statements, target, from, to, &wait, error);
    }
    progress_job(progress, member->number, NULL, 0);
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

int statements_analyze(Copy *copy, const PGresult *rows, Error *error)
{
    Statements statements = {.copy = copy, .rows = rows, .count = PQntuples(rows)};
    int jobs = copy->options->jobs;
    while (statements.large < statements.count &&
           strtoll(PQgetvalue(rows, statements.large, 1), NULL, 10) >= LARGE_BYTES) {
        statements.large++;
    }
    statements.together = (statements.count - statements.large) / (2 * jobs) + 1;
    statements.together = statements.together > TOGETHER ? TOGETHER : statements.together;
    return statements.count == 0 ? 0 : crew_run(jobs, run_some, idle, &statements, &statements.stop, error);
}
