/*
 * The order matters: first the door (limit and read-only default, in one transaction), then the sessions. One
 * that was being let in while the door closed is found by the next look at pg_stat_activity; the loop ends
 * when two looks in a row find nobody, since a backend shows up there a moment after it has passed the check
 * of the limit.
 */
#include "fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "activity.h"
#include "clock.h"

int fence_remember(Database *source, json_t *detail, Error *error)
{
    PGresult *result;
    if (database_query(
            source, &result, error,
            "SELECT d.datconnlimit,"
            "       (SELECT substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s, unnest(s.setconfig) c"
            "         WHERE s.setdatabase = d.oid AND s.setrole = 0"
            "           AND c LIKE 'default\\_transaction\\_read\\_only=%')"
            "  FROM pg_database d WHERE d.datname = current_database()",
            0) != 0) {
        return -1;
    }
    json_object_set_new(detail, "connection_limit", json_integer(atoll(PQgetvalue(result, 0, 0))));
    json_object_set_new(detail, "read_only",
                        PQgetisnull(result, 0, 1) ? json_null() : json_string(PQgetvalue(result, 0, 1)));
    PQclear(result);
    return 0;
}

static int alter(Database *source, const char *first, const char *second, Error *error)
{
    char *name = database_quote(PQdb(database_connection(source)));
    char sql[512];
    snprintf(sql, sizeof sql, "BEGIN; ALTER DATABASE %s %s; ALTER DATABASE %s %s; COMMIT", name, first, name,
             second);
    free(name);
    int status = database_execute(source, error, sql, 0);
    if (status != 0) {
        Error ignored;
        if (database_execute(source, &ignored, "ROLLBACK", 0) != 0) {
            return status;
        }
    }
    return status;
}

/* Ends the client sessions that are there; *found is how many were. */
static int end_sessions(Database *source, bool spare_ours, int *found, Error *error)
{
    char *count = NULL;
    int status = database_value(source, &count, error,
                                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                " WHERE datname = current_database() AND backend_type = 'client backend'"
                                "   AND pid <> pg_backend_pid()"
                                "   AND NOT ($1::bool AND application_name LIKE 'penstock %')",
                                1, spare_ours ? "true" : "false");
    *found = count != NULL ? atoi(count) : 0;
    free(count);
    return status;
}

int fence_raise(Database *source, bool spare_ours, int limit_ms, bool (*stop)(void), Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    if (alter(source, "CONNECTION LIMIT 0", "SET default_transaction_read_only = on", error) != 0) {
        return -1;
    }
    for (int quiet = 0, found; quiet < 2;) {
        if (end_sessions(source, spare_ours, &found, error) != 0) {
            return -1;
        }
        quiet = found == 0 ? quiet + 1 : 0;
        if (stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (quiet < 2 && clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT, "%d sessions behind the fence did not end within %.1f s", found,
                      limit_ms / 1000.0);
            activity_name_sessions(source, error);
            return -1;
        }
        clock_pause_ms(10);
    }
    return 0;
}

int fence_lift(Database *source, const json_t *detail, Error *error)
{
    char limit[64], read_only[128];
    const char *value = json_string_value(json_object_get(detail, "read_only"));
    if (!json_is_integer(json_object_get(detail, "connection_limit"))) {
        return error_set(error, ERROR_STATE,
                         "the journal does not say what the connection limit of the source was");
    }
    snprintf(limit, sizeof limit, "CONNECTION LIMIT %lld",
             (long long)json_integer_value(json_object_get(detail, "connection_limit")));
    if (value != NULL) {
        snprintf(read_only, sizeof read_only, "SET default_transaction_read_only = '%.60s'", value);
    } else {
        snprintf(read_only, sizeof read_only, "RESET default_transaction_read_only");
    }
    return alter(source, limit, read_only, error);
}
