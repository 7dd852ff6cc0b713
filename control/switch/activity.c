/*
 * An application session is a client backend of this database that is not ours; walsenders, autovacuum and
 * the programs of the migration itself are none. Their state is read from pg_stat_activity, which is fresh in
 * each query outside a transaction.
 */
#include "activity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "query.h"

#define APPLICATIONS                                                                                         \
    " FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"          \
    "  AND pid <> pg_backend_pid() AND application_name NOT LIKE 'penstock %'"
/*
 * In a transaction. A session with track_activities off tells nothing of itself but the lock on its virtual transaction, which
 * it has as long as that lasts.
 */
#define AT_WORK                                                                                              \
    APPLICATIONS " AND CASE WHEN state = 'disabled'"                                                         \
                 "     THEN EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_stat_activity.pid AND l.granted" \
                 "                  AND l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction)"  \
                 "     ELSE state <> 'idle' END"

/* One session, for people. */
#define LINE                                                                                                 \
    "format('pid %s (%s), %s%s: %s', pid, usename, state,"                                                   \
    "       to_char(xact_start, '\", open since\" HH24:MI:SS \"UTC\"'),"                                     \
    "       left(regexp_replace(query, '\\s+', ' ', 'g'), 80))"
#define MOST_NAMED "4"

/* Naming is for an error, which may be that all time has passed. */
#define NAMING_MS 1000

static QueryLimits begin_naming(Database *database)
{
    QueryLimits before = database_limits(database);
    database_limit(database, query_within(NAMING_MS));
    return before;
}

int activity_busy(Database *source, bool writers, int *count, Error *error)
{
    char *value = NULL;
    int status = database_value(source, &value, error,
                                "SELECT count(*)" AT_WORK " AND (NOT $1::bool OR backend_xid IS NOT NULL)", 1,
                                writers ? "true" : "false");
    *count = value != NULL ? number_int(value) : 0;
    free(value);
    return status;
}

static int blockers(Database *source, double older_than, char *out, size_t size, Error *error)
{
    char seconds[32];
    char *text = NULL;
    snprintf(seconds, sizeof seconds, "%f", older_than);
    int status = database_value(source, &text, error,
                                "SELECT string_agg(line, '; ') FROM (SELECT " LINE " AS line" AT_WORK
                                " AND (xact_start < clock_timestamp() - $1::float8 * interval '1 second'"
                                "      OR state = 'disabled' AND $1::float8 = 0)"
                                " ORDER BY xact_start LIMIT " MOST_NAMED ") s",
                                1, seconds);
    snprintf(out, size, "%s", text != NULL ? text : "");
    free(text);
    return status;
}

void activity_name_blockers(Database *source, Error *error)
{
    char text[400];
    Error ignored;
    QueryLimits before = begin_naming(source);
    if (blockers(source, 0, text, sizeof text, &ignored) == 0 && *text != '\0') {
        error_hint(error, "In the way: %s. End them, or wait for them, and try again.", text);
    }
    database_limit(source, before);
}

/* Adds the answer of a query to the hint: whom it names is in the way. */
static void add_names(Database *database, const char *query, Error *error)
{
    char *text = NULL;
    char before[sizeof error->hint];
    Error ignored;
    QueryLimits limits = begin_naming(database);
    if (database_value(database, &text, &ignored, query, 0) == 0 && text != NULL) {
        snprintf(before, sizeof before, "%s", error->hint);
        error_hint(error, "%.200s%sIn the way: %.280s", before, *before != '\0' ? " " : "", text);
    }
    database_limit(database, limits);
    free(text);
}

void activity_name_sessions(Database *database, Error *error)
{
    add_names(database,
              "SELECT string_agg(line, '; ') FROM (SELECT " LINE " AS line" APPLICATIONS
              " ORDER BY xact_start LIMIT " MOST_NAMED ") s",
              error);
}

static const char in_our_way[] =
    "SELECT string_agg(line, '; ') FROM (SELECT " LINE " AS line FROM pg_stat_activity"
    " WHERE pid IN (SELECT unnest(pg_blocking_pids(w.pid)) FROM pg_stat_activity w"
    "   WHERE w.datname = current_database() AND (w.application_name LIKE 'penstock %'"
    "     OR w.backend_type LIKE 'logical replication%')) ORDER BY xact_start LIMIT " MOST_NAMED ") s";

int activity_in_our_way(Database *database, char **who, Error *error)
{
    return database_value(database, who, error, in_our_way, 0);
}

void activity_name_waiters(Database *database, Error *error)
{
    add_names(database, in_our_way, error);
}

int activity_oldest(Database *source, double *seconds, char **who, Error *error)
{
    PGresult *result;
    *seconds = 0;
    *who = NULL;
    if (database_query(source, &result, error,
                       "SELECT extract(epoch FROM clock_timestamp() - xact_start), " LINE AT_WORK
                       " AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1",
                       0) != 0) {
        return -1;
    }
    if (PQntuples(result) > 0) {
        *seconds = number_real(PQgetvalue(result, 0, 0));
        *who = strdup(PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    return 0;
}

int activity_left(Database *database, int *others, char **who, Error *error)
{
    PGresult *result;
    *others = 0;
    *who = NULL;
    if (database_query(database, &result, error,
                       "SELECT count(*) FILTER (WHERE NOT super),"
                       "       string_agg(format('pid %s (%s, %s)', pid, usename, application_name), '; ')"
                       "  FROM (SELECT pid, usename, application_name, coalesce(rolsuper, false) AS super"
                       "    FROM (SELECT pid, usename, usesysid, application_name" APPLICATIONS
                       "    ) a LEFT JOIN pg_roles r ON r.oid = a.usesysid) s",
                       0) != 0) {
        return -1;
    }
    *others = number_int(PQgetvalue(result, 0, 0));
    *who = PQgetisnull(result, 0, 1) ? NULL : strdup(PQgetvalue(result, 0, 1));
    PQclear(result);
    return 0;
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

/* A prepared transaction has no session: pg_blocking_pids shows it as 0, of whichever database it is. */
int activity_who_blocks(Database *database, const char *pid, char **who, Error *error)
{
    return database_value(
        database, who, error,
        "SELECT string_agg(line, '; ') FROM (SELECT coalesce((SELECT format('pid %s (%s in database %s%s), "
        "%s%s: %s', pid,"
        "   usename, datname, CASE WHEN application_name <> '' THEN format(', %s', application_name) END, "
        "state,"
        "   to_char(xact_start, '\", open since\" HH24:MI:SS \"UTC\"'),"
        "   left(regexp_replace(query, '\\s+', ' ', 'g'), 80)) FROM pg_stat_activity a WHERE a.pid = b.pid),"
        "   CASE b.pid WHEN 0 THEN concat('a prepared transaction, which COMMIT PREPARED or ROLLBACK "
        "PREPARED ends in its database: ',"
        "     (SELECT string_agg(format('%L in database %s, by %s, since %s', gid, database, owner,"
        "        to_char(prepared AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')), ', ' ORDER BY "
        "prepared)"
        "       FROM pg_prepared_xacts)) ELSE concat('pid ', b.pid) END) AS line"
        " FROM unnest(pg_blocking_pids($1::int)) AS b (pid) LIMIT " MOST_NAMED ") s",
        1, pid);
}
