/*
 * The statement is waited for in slices; between two of them the other connection asks the server whom it waits for.
 */
#include "watched.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "query.h"

#define SLICE_MS 300

/* Tells of who is in the way, unless *told has it already. */
static void look(const WatchedWait *wait, int pid, char **told)
{
    char number[16], *who = NULL;
    Error ignored;
    snprintf(number, sizeof number, "%d", pid);
    if (activity_who_blocks(wait->looker, number, &who, &ignored) != 0 || who == NULL ||
        (*told != NULL && strcmp(*told, who) == 0)) {
        free(who);
        return;
    }
    wait->tell(wait->context, who);
    free(*told);
    *told = who;
}

int watched_run(Database *database, const char *sql, const char *what, const WatchedWait *wait, Error *error)
{
    PGconn *connection = database_connection(database);
    Query query = {.sql = sql,
                   .what = what,
                   .began = clock_ms(),
                   .limits = query_sooner(database_limits(database), query_within(wait->limit_ms))};
    char *told = NULL;
    if (PQsendQuery(connection, sql) == 0) {
        return database_error(database, NULL, error);
    }
    while (query_await(connection, query_sooner(query.limits, query_within(SLICE_MS)), error) != 0 &&
           error->code == ERROR_LIMIT) {
        look(wait, PQbackendPID(connection), &told);
        if (clock_ms() >= query.limits.deadline) {
            break;
        }
    }
    int status = query_finish(database, &query, NULL, error);
    if (status != 0 && told != NULL) {
        error_hint(error, "In the way: %.480s", told);
    }
    free(told);
    return status;
}
