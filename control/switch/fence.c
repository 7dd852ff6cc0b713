/*
 * The order matters: first the door (limit and read-only default, in one transaction), then the sessions.
 *
 * Which sessions may have come in before the door was closed? Those that are older than that moment, and those that were
 * starting then: a backend reads its database's settings before it shows up in pg_stat_activity, however long the moment
 * between may be on a busy server. But all that while it has a lock on the database, which pg_locks shows. So those that
 * have it are waited for by their pids first; then every session that is older is ended, until none is left. Whoever
 * begins later is turned away or begins read-only, and is not waited for, however many of them there are.
 */
#include "fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "activity.h"
#include "clock.h"
#include "fence_sql.h"
#include "number.h"
#include "passers.h"
#include "text.h"

#define LOOK_AGAIN_MS 10

/* The lock that a backend of this database has from before it reads the settings until it shows up as a session. */
#define STARTING                                                                                             \
    "locktype = 'object' AND classid = 'pg_database'::regclass AND mode = 'RowExclusiveLock' AND granted"    \
    " AND objid = (SELECT oid FROM pg_database WHERE datname = current_database())"                          \
    " AND pid <> pg_backend_pid()"

int fence_remember(Database *source, json_t *detail, Error *error)
{
    PGresult *result;
    if (database_query(
            source, &result, error,
            "SELECT d.datconnlimit,"
            "       (SELECT substr(c, strpos(c, '=') + 1) FROM pg_db_role_setting s, unnest(s.setconfig) c"
            "         WHERE s.setdatabase = d.oid AND s.setrole = 0"
            "           AND c ~ '^default_transaction_read_only=')"
            "  FROM pg_database d WHERE d.datname = current_database()",
            0) != 0) {
        return -1;
    }
    json_object_set_new(detail, "connection_limit", json_integer(atoll(PQgetvalue(result, 0, 0))));
    json_object_set_new(detail, "read_only",
                        PQgetisnull(result, 0, 1) ? json_null() : json_string(PQgetvalue(result, 0, 1)));
    PQclear(result);
    return passers_remember(source, detail, error);
}

/* All of the clauses, in one transaction; NULL is none. */
static int alter(Database *source, const char *const clauses[3], Error *error)
{
    char *name = database_quote(PQdb(database_connection(source)));
    Text sql = {0};
    text_append(&sql, "BEGIN; ");
    for (int i = 0; i < 3; i++) {
        if (clauses[i] != NULL && *clauses[i] != '\0') {
            text_printf(&sql, "ALTER DATABASE %s %s; ", name, clauses[i]);
        }
    }
    text_append(&sql, "COMMIT");
    free(name);
    int status = database_execute(source, error, sql.data, 0);
    text_free(&sql);
    if (status != 0) {
        Error ignored;
        if (database_execute(source, &ignored, "ROLLBACK", 0) != 0) {
            return status;
        }
    }
    return status;
}

bool fence_leaves_readers(const json_t *detail)
{
    return json_is_true(json_object_get(detail, "readers"));
}

/* Who has to be gone before the fence stands. */
typedef struct Suspects {
    char *starting; /* pids of backends that were on their way in, as an array */
    char *since;    /* sessions that began later read the new settings */
    bool spare_ours;
    const char *spared; /* pids, as an array */
} Suspects;

static int list_suspects(Database *source, Suspects *out, Error *error)
{
    return database_value(source, &out->starting, error,
                          "SELECT coalesce(array_agg(pid), '{}') FROM pg_locks WHERE " STARTING, 0) == 0
               ? database_value(source, &out->since, error, "SELECT clock_timestamp()", 0)
               : -1;
}

/* How many of the suspects are left; those that can be are told to end. */
static int end_suspects(Database *source, const Suspects *suspects, int *left, Error *error)
{
    char *starting = NULL, *sessions = NULL;
    int status = database_value(source, &starting, error,
                                "SELECT count(*) FROM pg_locks WHERE " STARTING " AND pid = ANY ($1::int[])",
                                1, suspects->starting);
    if (status == 0) {
        status =
            database_value(source, &sessions, error,
                           "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                           " WHERE " PASSERS_ENDED " AND backend_start <= $2::timestamptz"
                           "   AND NOT ($1::bool AND application_name LIKE 'penstock %')"
                           "   AND pid <> ALL ($3::int[])",
                           3, suspects->spare_ours ? "true" : "false", suspects->since, suspects->spared);
    }
    *left = (starting != NULL ? number_int(starting) : 0) + (sessions != NULL ? number_int(sessions) : 0);
    free(starting);
    free(sessions);
    return status;
}

static int end_sessions(Database *source, const Suspects *suspects, int limit_ms, bool (*stop)(void),
                        Error *error)
{
    int64_t deadline = clock_ms() + limit_ms;
    for (int left = 0;; clock_pause_ms(LOOK_AGAIN_MS)) {
        if (end_suspects(source, suspects, &left, error) != 0) {
            return -1;
        }
        if (left == 0) {
            return 0;
        }
        if (stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        if (clock_ms() > deadline) {
            error_set(error, ERROR_LIMIT, "%d sessions behind the fence did not end within %.1f s", left,
                      limit_ms / 1000.0);
            activity_name_sessions(source, error);
            return -1;
        }
    }
}

int fence_raise(Database *source, const json_t *detail, bool spare_ours, const char *spared, int limit_ms,
                bool (*stop)(void), Error *error)
{
    Suspects suspects = {.spare_ours = spare_ours, .spared = spared};
    int status = passers_stop(source, detail, error);
    if (status == 0) {
        const char *const clauses[] = {fence_leaves_readers(detail) ? "SET " FENCE_MARK " = 'readers'"
                                                                    : "CONNECTION LIMIT 0",
                                       "SET default_transaction_read_only = on", NULL};
        status = alter(source, clauses, error);
    }
    if (status == 0) {
        status = list_suspects(source, &suspects, error);
    }
    if (status == 0) {
        status = end_sessions(source, &suspects, limit_ms, stop, error);
    }
    if (status == 0) {
        status = passers_check(source, "fenced side", error); /* who has come since the preflight */
    }
    free(suspects.starting);
    free(suspects.since);
    return status;
}

int fence_before(const json_t *detail, FenceBefore *out, Error *error)
{
    const char *value = json_string_value(json_object_get(detail, "read_only"));
    if (!json_is_integer(json_object_get(detail, "connection_limit"))) {
        return error_set(error, ERROR_STATE,
                         "the journal does not say what the connection limit of the source was");
    }
    snprintf(out->limit, sizeof out->limit, "CONNECTION LIMIT %lld",
             (long long)json_integer_value(json_object_get(detail, "connection_limit")));
    snprintf(out->mark, sizeof out->mark, "%s", fence_leaves_readers(detail) ? "RESET " FENCE_MARK : "");
    if (value != NULL) {
        snprintf(out->read_only, sizeof out->read_only, "SET default_transaction_read_only = '%.60s'", value);
    } else {
        snprintf(out->read_only, sizeof out->read_only, "RESET default_transaction_read_only");
    }
    return 0;
}

/* The database first: that is what clients wait for. */
int fence_lift(Database *source, const json_t *detail, Error *error)
{
    FenceBefore before;
    if (fence_before(detail, &before, error) != 0 ||
        alter(source, (const char *const[]){before.limit, before.read_only, before.mark}, error) != 0) {
        return -1;
    }
    return passers_restore(source, detail, error);
}

int fence_half_open(Database *side, json_t *detail, Error *error)
{
    FenceBefore before;
    char *since = NULL;
    if (fence_before(detail, &before, error) != 0 || passers_stop_roles(side, detail, error) != 0 ||
        database_value(side, &since, error, "SELECT clock_timestamp()", 0) != 0) {
        return -1;
    }
    if (json_object_get(detail, "half_since") == NULL && since != NULL) {
        json_object_set_new(detail, "half_since", json_string(since));
    }
    free(since);
    return alter(side,
                 (const char *const[]){before.limit, "SET default_transaction_read_only = on", before.mark},
                 error);
}

/* How many are left of those that began while it was half open; those that can be are told to end. */
static int end_readers(Database *side, const Suspects *suspects, const char *since, int *left, Error *error)
{
    char *count = NULL;
    int status =
        database_value(side, &count, error,
                       "SELECT (SELECT count(*) FROM pg_locks WHERE " STARTING " AND pid = ANY ($1::int[]))"
                       "     + (SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                       "         WHERE datname = current_database() AND backend_type = 'client backend' AND "
                       "pid <> pg_backend_pid()"
                       "           AND application_name NOT LIKE 'penstock %' AND backend_start BETWEEN "
                       "$2::timestamptz AND $3::timestamptz)",
                       3, suspects->starting, since, suspects->since);
    *left = count != NULL ? number_int(count) : 0;
    free(count);
    return status;
}

int fence_open(Database *side, const json_t *detail, int limit_ms, Error *error)
{
    const char *since = json_string_value(json_object_get(detail, "half_since"));
    int64_t deadline = clock_ms() + limit_ms;
    Suspects suspects = {0};
    int left = 0, status = fence_lift(side, detail, error);
    if (status == 0 && since != NULL) {
        status = list_suspects(side, &suspects, error);
    }
    while (status == 0 && since != NULL) {
        status = end_readers(side, &suspects, since, &left, error);
        if (left == 0 || status != 0) {
            break;
        }
        if (clock_ms() > deadline) {
            status = error_set(error, ERROR_LIMIT, "%d sessions that began read-only did not end", left);
        }
        clock_pause_ms(LOOK_AGAIN_MS);
    }
    free(suspects.starting);
    free(suspects.since);
    return status;
}

void fence_advise(const char *database, const char *side, const json_t *detail, char *out, size_t size)
{
    FenceBefore before;
    Error ignored;
    if (fence_before(detail, &before, &ignored) != 0) {
        return;
    }
    char *name = database_quote(database);
    snprintf(out, size, "on the %s: ALTER DATABASE %s %s; ALTER DATABASE %s %s%s%s%s%s", side, name,
             before.limit, name, before.read_only, *before.mark != '\0' ? "; ALTER DATABASE " : "",
             *before.mark != '\0' ? name : "", *before.mark != '\0' ? " " : "", before.mark);
    free(name);
}
