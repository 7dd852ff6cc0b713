/*
 * Settings of a role in a database are read at the start of a session, as the database's own are: those who began before are
 * ended by the fence all the same.
 */
#include "passers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Enabled subscriptions of this database that are not ours. */
#define ENABLED                                                                                              \
    " FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid AND d.datname = current_database()"     \
    " WHERE s.subenabled AND s.subname !~ '^penstock_'"

/* Roles whose own default is not that of the database, with what they have for this database alone. */
static const char roles_sql[] =
    "WITH own AS (SELECT s.setrole, s.setdatabase, substr(c, strpos(c, '=') + 1) AS value"
    "  FROM pg_db_role_setting s, unnest(s.setconfig) c"
    "  WHERE s.setrole <> 0 AND c ~ '^default_transaction_read_only='"
    "    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database())))"
    " SELECT r.rolname, max(value) FILTER (WHERE setdatabase <> 0)"
    "  FROM own JOIN pg_roles r ON r.oid = own.setrole GROUP BY r.rolname"
    "  HAVING coalesce(max(value) FILTER (WHERE setdatabase <> 0), max(value)) <> 'on' ORDER BY 1";

static int remember_roles(Database *database, json_t *roles, Error *error)
{
    PGresult *rows;
    if (database_query(database, &rows, error, roles_sql, 0) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        json_array_append_new(roles, json_pack("{s:s, s:s?}", "role", PQgetvalue(rows, i, 0), "value",
                                               PQgetisnull(rows, i, 1) ? NULL : PQgetvalue(rows, i, 1)));
    }
    PQclear(rows);
    return 0;
}

static int remember_subscriptions(Database *database, json_t *subscriptions, Error *error)
{
    PGresult *rows;
    if (database_query(database, &rows, error, "SELECT s.subname" ENABLED " ORDER BY 1", 0) != 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(rows); i++) {
        json_array_append_new(subscriptions, json_string(PQgetvalue(rows, i, 0)));
    }
    PQclear(rows);
    return 0;
}

int passers_remember(Database *database, json_t *detail, Error *error)
{
    json_t *roles = json_array(), *subscriptions = json_array();
    json_object_set_new(detail, "roles", roles);
    json_object_set_new(detail, "subscriptions", subscriptions);
    return remember_roles(database, roles, error) == 0
               ? remember_subscriptions(database, subscriptions, error)
               : -1;
}

/* --- statements --- */

/* on: as the fence wants it; otherwise as it was. */
static int set_role(Database *database, const json_t *role, bool on, Error *error)
{
    const char *name = json_string_value(json_object_get(role, "role"));
    const char *value = on ? "on" : json_string_value(json_object_get(role, "value"));
    char *quoted = database_quote(name), *where = database_quote(PQdb(database_connection(database)));
    char *sql = NULL;
    int size =
        value != NULL
            ? asprintf(&sql, "ALTER ROLE %s IN DATABASE %s SET default_transaction_read_only = '%.10s'",
                       quoted, where, value)
            : asprintf(&sql, "ALTER ROLE %s IN DATABASE %s RESET default_transaction_read_only", quoted,
                       where);
    int status = size < 0 ? error_set(error, ERROR_SYSTEM, "out of memory")
                          : database_execute(database, error, sql, 0);
    free(sql);
    free(quoted);
    free(where);
    return status;
}

static int set_subscription(Database *database, const json_t *name, const char *action, Error *error)
{
    char *quoted = database_quote(json_string_value(name));
    char sql[256];
    snprintf(sql, sizeof sql, "ALTER SUBSCRIPTION %s %s", quoted, action);
    free(quoted);
    return database_execute(database, error, sql, 0);
}

/* undefined_object: it was dropped meanwhile. */
static bool is_gone(const Error *error)
{
    return strcmp(error->sqlstate, "42704") == 0;
}

static int set_roles(Database *database, const json_t *detail, bool stop, Error *error)
{
    const json_t *one;
    size_t i;
    int status = 0;
    json_array_foreach(json_object_get(detail, "roles"), i, one)
    {
        Error failure;
        if (set_role(database, one, stop, &failure) != 0 && !is_gone(&failure)) {
            *error = failure;
            status = -1;
        }
    }
    return status;
}

static int set_all(Database *database, const json_t *detail, bool stop, Error *error)
{
    const json_t *one;
    size_t i;
    int status = set_roles(database, detail, stop, error);
    json_array_foreach(json_object_get(detail, "subscriptions"), i, one)
    {
        Error failure;
        if (set_subscription(database, one, stop ? "DISABLE" : "ENABLE", &failure) != 0 &&
            !is_gone(&failure)) {
            *error = failure;
            status = -1;
        }
    }
    return status;
}

int passers_stop(Database *database, const json_t *detail, Error *error)
{
    return set_all(database, detail, true, error);
}

int passers_stop_roles(Database *database, const json_t *detail, Error *error)
{
    return set_roles(database, detail, true, error);
}

int passers_restore(Database *database, const json_t *detail, Error *error)
{
    return set_all(database, detail, false, error);
}

/* --- who is there --- */

int passers_check_prepared(Database *database, const char *side, Error *error)
{
    char *prepared = NULL;
    int status = database_value(
        database, &prepared, error,
        "SELECT string_agg(gid, ', ') FROM pg_prepared_xacts WHERE database = current_database()", 0);
    if (status == 0 && prepared != NULL) {
        error_set(error, ERROR_STATE, "there are prepared transactions on the %s: %.300s", side, prepared);
        status = error_hint(error, "No fence stops COMMIT PREPARED: commit or roll them back first.");
    }
    free(prepared);
    return status;
}

int passers_check_subscriptions(Database *database, const char *side, Error *error)
{
    char *names = NULL;
    int status = database_value(database, &names, error, "SELECT string_agg(s.subname, ', ')" ENABLED, 0);
    if (status == 0 && names != NULL) {
        error_set(error, ERROR_STATE, "subscriptions write to the %s behind any fence: %.300s", side, names);
        status = error_hint(
            error,
            "Let them go to the other side instead, or give --end-writers: then they are disabled with "
            "the fence, and enabled again when that is undone.");
    }
    free(names);
    return status;
}

int passers_check(Database *database, const char *side, Error *error)
{
    return passers_check_prepared(database, side, error) == 0
               ? passers_check_subscriptions(database, side, error)
               : -1;
}

int passers_name(Database *database, char **who, Error *error)
{
    char *workers = NULL, *roles = NULL, *sql = NULL;
    *who = NULL;
    int status = database_value(
        database, &workers, error,
        "SELECT string_agg(format('pid %s, %s %s', pid, backend_type, application_name), '; ')"
        "  FROM pg_stat_activity WHERE backend_type NOT IN ('client backend',"
        "    'logical replication worker', 'logical replication apply worker') AND" PASSERS_ENDED,
        0);
    if (status == 0 &&
        asprintf(&sql, "SELECT string_agg(rolname, ', ') FROM (%s) r (rolname)", roles_sql) > 0) {
        status = database_value(database, &roles, error, sql, 0);
    }
    if (status == 0 && (workers != NULL || roles != NULL) &&
        asprintf(who, "%s%s%s%s%s", workers != NULL ? "background workers, which are ended: " : "",
                 workers != NULL ? workers : "", workers != NULL && roles != NULL ? "; " : "",
                 roles != NULL
                     ? "roles with a read-only default of their own, which get another for this database: "
                     : "",
                 roles != NULL ? roles : "") < 0) {
        *who = NULL;
    }
    free(workers);
    free(roles);
    free(sql);
    return status;
}
