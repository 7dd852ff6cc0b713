/*
 * An application session is a client backend of this database that is not ours; walsenders, autovacuum and
 * the programs of the migration itself are none. Their state is read from pg_stat_activity, which is fresh in
 * each query outside a transaction.
 */
#include "activity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS                                                                                             \
    " FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"          \
    "  AND pid <> pg_backend_pid() AND application_name NOT LIKE 'penstock %' AND state <> 'idle'"

int activity_busy(Database *source, int *count, Error *error)
{
    char *value = NULL;
    int status = database_value(source, &value, error, "SELECT count(*)" SESSIONS, 0);
    *count = value != NULL ? atoi(value) : 0;
    free(value);
    return status;
}

static int blockers(Database *source, double older_than, char *out, size_t size, Error *error)
{
    char seconds[32];
    char *text = NULL;
    snprintf(seconds, sizeof seconds, "%f", older_than);
    int status =
        database_value(source, &text, error,
                       "SELECT string_agg(line, '; ') FROM ("
                       "SELECT format('pid %s (%s), %s, open for %s s: %s', pid, usename, state,"
                       "       round(extract(epoch FROM clock_timestamp() - xact_start)::numeric, 1),"
                       "       left(regexp_replace(query, '\\s+', ' ', 'g'), 80)) AS line" SESSIONS
                       " AND xact_start < clock_timestamp() - $1::float8 * interval '1 second'"
                       " ORDER BY xact_start LIMIT 4) s",
                       1, seconds);
    snprintf(out, size, "%s", text != NULL ? text : "");
    free(text);
    return status;
}

void activity_name_blockers(Database *source, Error *error)
{
    char text[400];
    Error ignored;
    if (blockers(source, 0, text, sizeof text, &ignored) == 0 && *text != '\0') {
        error_hint(error, "In the way: %s. End them, or wait for them, and try again.", text);
    }
}

int activity_check_age(Database *source, double limit, Error *error)
{
    char text[400];
    if (blockers(source, limit, text, sizeof text, error) != 0) {
        return -1;
    }
    if (*text == '\0') {
        return 0;
    }
    error_set(error, ERROR_STATE, "transactions have been open on the source for more than %g s", limit);
    return error_hint(error, "They would block the drain: %s.", text);
}
