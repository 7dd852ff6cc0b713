/*
 * A Database is a PGconn that knows which end it talks to, so that every error can say so.
 *
 * Settings are made with SET after the connection stands, not in the startup packet: what the user, the role
 * or the database set (options in the URI, PGOPTIONS, ALTER ROLE … SET) stays possible and is overridden
 * where we depend on it. The admin console of a proxy knows no such settings and only the simple protocol; it
 * gets neither.
 *
 * What an error means for the caller is decided by one table of SQLSTATE prefixes. A connection that is gone
 * is ERROR_CONNECTION whatever the server said last: the next step is to connect again.
 */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect.h"
#include "database_parts.h"
#include "query.h"
#include "session_settings.h"
#include "text.h"

#define MAX_PARAMS 32
#define SETTINGS_LIMIT_MS 30000

static const char *const end_names[] = {
    [DATABASE_SOURCE] = "source",
    [DATABASE_TARGET] = "target",
    [DATABASE_PROXY] = "proxy",
};

static const ErrorCode end_codes[] = {
    [DATABASE_SOURCE] = ERROR_SOURCE,
    [DATABASE_TARGET] = ERROR_TARGET,
    [DATABASE_PROXY] = ERROR_PROXY,
};

/* The first prefix that fits decides; what fits none is the server's refusal. */
static const struct {
    const char *prefix;
    ErrorCode code;
} sqlstate_classes[] = {
    {"08", ERROR_CONNECTION},   /* connection exception */
    {"40001", ERROR_TRANSIENT}, /* serialization_failure */
    {"40P01", ERROR_TRANSIENT}, /* deadlock_detected */
    {"55P03", ERROR_TRANSIENT}, /* lock_not_available */
    {"57P01", ERROR_TRANSIENT}, /* admin_shutdown */
    {"57P02", ERROR_TRANSIENT}, /* crash_shutdown */
    {"57P03", ERROR_TRANSIENT}, /* cannot_connect_now */
    {"53", ERROR_TRANSIENT},    /* insufficient resources */
    {"25006",
     ERROR_TRANSIENT}, /* read_only_sql_transaction: our sessions are not, so the server is in recovery */
};

ErrorCode database_error_code(const char *sqlstate, DatabaseEnd end)
{
    for (size_t i = 0; i < sizeof sqlstate_classes / sizeof *sqlstate_classes; i++) {
        const char *prefix = sqlstate_classes[i].prefix;
        if (sqlstate != NULL && strncmp(sqlstate, prefix, strlen(prefix)) == 0) {
            return sqlstate_classes[i].code;
        }
    }
    return end_codes[end];
}

static void drop_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

/* What to do about a connection that was refused, by SQLSTATE, "" without one; %s is source, target or proxy. */
static const struct {
    const char *sqlstate;
    const char *hint;
} refusals[] = {
    {"",
     "See that the server runs, and that --%s says where; its listen_addresses have to let this machine in."},
    {"3D000", "Name another database in --%s, or make this one."},
    {"28P01", "Check user and password of --%s; ~/.pgpass is a good place for it."},
    {"28000", "Check the user of --%s, and pg_hba.conf on that server."},
    {"42501", "The user of --%s lacks a right: `penstock check` lists which."},
    {"25006", "The server is in recovery, or read-only for now. If it is to stay a standby, let --%s lead to "
              "the primary: with several "
              "hosts and target_session_attrs=read-write it finds the one that is."},
    {"53300",
     "The server has no connection left: raise max_connections or max_wal_senders of the %s, or end some."},
};

static void hint_at_refusal(const char *sqlstate, DatabaseEnd end, Error *error)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (strcmp(refusals[i].sqlstate, sqlstate) == 0) {
            error_hint(error, refusals[i].hint, end_names[end]);
        }
    }
}

static int hint_at_pooler(DatabaseEnd end, Error *error)
{
    return error_hint(
        error,
        "Let --%s lead to the server itself, past PgBouncer, pgcat or the like, whatever its pool mode: "
        "settings, locks and transactions of a session must not reach other clients.",
        end_names[end]);
}

/* Why database_connect did not come to a connection. */
static int connect_error(Database *database, const char *sqlstate, Error *error)
{
    char reason[sizeof error->message];
    connect_reason(database->connection, reason, sizeof reason);
    error_set(error, sqlstate[0] != '\0' ? database_error_code(sqlstate, database->end) : ERROR_CONNECTION,
              "cannot connect to the %s: %s", end_names[database->end], reason);
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate);
    /* PgBouncer before 1.23, of replication; a server knows it. */
    if (strstr(reason, "unsupported startup parameter") != NULL && database->end != DATABASE_PROXY) {
        error_set(error, ERROR_USAGE, "--%s leads to a connection pooler, not to the server: %s",
                  end_names[database->end], reason);
        return hint_at_pooler(database->end, error);
    }
    /* Who was let in by a password, and then turned away for another reason, has the right one. */
    bool of_login = strncmp(sqlstate, "28", 2) == 0;
    if (PQconnectionNeedsPassword(database->connection) ||
        (PQconnectionUsedPassword(database->connection) && of_login)) {
        hint_at_refusal("28P01", database->end, error);
    } else {
        hint_at_refusal(sqlstate, database->end, error);
    }
    return -1;
}

/* An end that nobody has named is not libpq's default socket, whatever database may be there. */
static int check_uri(const char *uri, DatabaseEnd end, Error *error)
{
    if (uri[0] == '\0' && end != DATABASE_PROXY) {
        error_set(error, ERROR_USAGE, "it is not said where the %s is", end_names[end]);
        return error_hint(error, "give --%s URI, or set it in the environment or in the settings file",
                          end_names[end]);
    }
    return conninfo_check(uri, end_names[end], error);
}

/* Options before dbname are defaults that the URI may override; those after it are ours to say. */
static PGconn *open_connection(const char *uri, const char *purpose, const QueryLimits *limits,
                               char sqlstate[6])
{
    char application_name[64];
    snprintf(application_name, sizeof application_name, "penstock %s", purpose);
    const char *const keywords[] = {"connect_timeout",
                                    "keepalives",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "keepalives_count",
                                    "tcp_user_timeout",
                                    "dbname",
                                    "application_name",
                                    NULL};
    const char *const values[] = {"10", "1", "30", "10", "3", "60000", uri, application_name, NULL};
    return connect_params(keywords, values, limits, sqlstate);
}

/*
 * A replication connection of a server older than 14.2, 13.6, 12.10, 11.15 takes one statement in a message, and says "syntax
 * error" to several (walsender.c, repl_gram.y): then they go one by one, a round trip each.
 */
static int execute_each(Database *database, const char *sql, Error *error)
{
    Error together;
    if (database_execute(database, &together, sql, 0) == 0) {
        return 0;
    }
    if (strcmp(together.sqlstate, "42601") != 0) {
        *error = together;
        return -1;
    }
    char *statements = strdup(sql), *at = statements;
    int status = statements != NULL ? 0 : error_set(error, ERROR_SYSTEM, "no memory for statements");
    for (char *one; status == 0 && (one = strsep(&at, ";")) != NULL;) {
        status = *one != '\0' ? database_execute(database, error, one, 0) : 0;
    }
    free(statements);
    return status;
}

/*
 * The limit of time goes first and alone: it is for all statements of a message together. client_encoding comes last, when
 * nothing more is said in words.
 */
static int make_settings(Database *database, SessionKind kind, Error *error)
{
    PGconn *connection = database->connection;
    const char *superuser = PQparameterStatus(connection, "is_superuser");
    Text sql = {0};
    char *settings = session_settings_sql(kind, PQserverVersion(connection),
                                          superuser != NULL && strcmp(superuser, "on") == 0);
    text_printf(&sql, "%s;SET client_encoding = '%s'", settings,
                session_settings_encoding(PQparameterStatus(connection, "server_encoding")));
    free(settings);
    int status = database_execute(database, error, "SET statement_timeout = 0", 0);
    if (status == 0) {
        status = execute_each(database, sql.data, error);
    }
    text_free(&sql);
    return status == 0 ? 0 : error_context(error, "making the session's settings");
}

/*
 * Is the server's process the one that the connection began with? A pooler answers the start of a connection by itself,
 * with a number of its own making (BackendKeyData), and gives each transaction to a process that other clients use before
 * and after. Our settings, locks and open transactions would be theirs. Asked before the first SET, so that nothing is left behind.
 */
static int check_direct(Database *database, Error *error)
{
    char *text = NULL;
    if (database_value(database, &text, error, "SELECT pg_catalog.pg_backend_pid()", 0) != 0) {
        return -1;
    }
    int theirs = text != NULL ? (int)strtol(text, NULL, 10) : 0, ours = PQbackendPID(database->connection);
    free(text);
    if (theirs == ours || ours == 0) {
        return 0;
    }
    error_set(error, ERROR_USAGE,
              "--%s leads to a connection pooler, not to the server: the connection is with process %d, and "
              "statements run "
              "in process %d",
              end_names[database->end], ours, theirs);
    return hint_at_pooler(database->end, error);
}

static int connect_and_set(Database *database, SessionKind kind, const char *uri, const char *purpose,
                           Error *error)
{
    char sqlstate[6];
    const QueryLimits *limits = &database->limits;
    database->connection = open_connection(uri, purpose, limits, sqlstate);
    if (database->connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection to the %s",
                         end_names[database->end]);
    }
    PQsetNoticeReceiver(database->connection, drop_notice, NULL);
    if (PQstatus(database->connection) != CONNECTION_OK) {
        if (limits->stop != NULL && limits->stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted while connecting to the %s",
                             end_names[database->end]);
        }
        return connect_error(database, sqlstate, error);
    }
    if (database->end == DATABASE_PROXY) {
        return 0;
    }
    QueryLimits later = database->limits;
    database->limits = query_sooner(later, query_within(SETTINGS_LIMIT_MS));
    int status = check_direct(database, error) == 0 ? make_settings(database, kind, error) : -1;
    database->limits = later;
    return status;
}

static int connect_session(SessionKind kind, const char *uri, DatabaseEnd end, const char *purpose,
                           QueryLimits limits, Database **out, Error *error)
{
    *out = NULL;
    if (uri == NULL) {
        uri = "";
    }
    if (check_uri(uri, end, error) != 0) {
        return -1;
    }
    Database *database = calloc(1, sizeof *database);
    if (database == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection to the %s", end_names[end]);
    }
    database->end = end;
    database->limits = limits;
    if (connect_and_set(database, kind, uri, purpose, error) != 0) {
        database_close(database);
        return -1;
    }
    *out = database;
    return 0;
}

int database_connect(const char *uri, DatabaseEnd end, const char *purpose, Database **out, Error *error)
{
    return database_connect_as(SESSION_PLAIN, uri, end, purpose, out, error);
}

int database_connect_as(SessionKind kind, const char *uri, DatabaseEnd end, const char *purpose,
                        Database **out, Error *error)
{
    return connect_session(kind, uri, end, purpose, (QueryLimits){0}, out, error);
}

int database_connect_within(const char *uri, DatabaseEnd end, const char *purpose, QueryLimits limits,
                            Database **out, Error *error)
{
    return connect_session(SESSION_PLAIN, uri, end, purpose, limits, out, error);
}

void database_limit(Database *database, QueryLimits limits)
{
    database->limits = limits;
}

QueryLimits database_limits(const Database *database)
{
    return database->limits;
}

const char *database_end_name(DatabaseEnd end)
{
    return end_names[end];
}

void database_close(Database *database)
{
    if (database != NULL) {
        PQfinish(database->connection);
        free(database);
    }
}

PGconn *database_connection(Database *database)
{
    return database->connection;
}

int database_version(const Database *database)
{
    return PQserverVersion(database->connection);
}

/*
 * libpq's message for the connection: the first line, without what follows. When a write fails while the server's last
 * words are still to be read, libpq reports the write and calls the connection good; reading on meets its end.
 */
static int connection_error(Database *database, Error *error)
{
    const char *message = PQerrorMessage(database->connection);
    if (*message == '\0') {
        message = "the connection failed";
    }
    error_set(error, end_codes[database->end], "%s: %.*s", end_names[database->end],
              (int)strcspn(message, "\n"), message);
    if (PQconsumeInput(database->connection) == 0 || PQstatus(database->connection) == CONNECTION_BAD) {
        error->code = ERROR_CONNECTION;
    }
    return -1;
}

int database_hint_locks(DatabaseEnd end, Error *error)
{
    return error_hint(
        error,
        "The %s's table of locks is full: raise max_locks_per_transaction there to what `penstock "
        "check` says (source-locks, target-locks), restart that server, and run the same command again.",
        end_names[end]);
}

int database_error(Database *database, const PGresult *result, Error *error)
{
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (primary == NULL) {
        return connection_error(database, error);
    }
    const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool lost = PQstatus(database->connection) == CONNECTION_BAD;
    error_set(error, lost ? ERROR_CONNECTION : database_error_code(sqlstate, database->end), "%s: %s%s%s%s",
              end_names[database->end], primary, detail != NULL ? " (" : "", detail != NULL ? detail : "",
              detail != NULL ? ")" : "");
    connect_one_line(error->message);
    snprintf(error->sqlstate, sizeof error->sqlstate, "%s", sqlstate != NULL ? sqlstate : "");
    if (hint != NULL && strstr(hint, DATABASE_LOCKS_SETTING) != NULL) {
        database_hint_locks(database->end, error);
    } else if (hint != NULL) {
        error_hint(error, "%s", hint);
    } else if (strcmp(error->sqlstate, "42501") == 0 || strcmp(error->sqlstate, "25006") == 0) {
        hint_at_refusal(error->sqlstate, database->end, error);
    }
    return -1;
}

static int query(Database *database, PGresult **out, Error *error, const char *sql, bool often, int nparams,
                 va_list args)
{
    const char *values[MAX_PARAMS];
    if (out != NULL) {
        *out = NULL;
    }
    if (nparams > MAX_PARAMS) {
        return error_set(error, ERROR_USAGE, "%s: a query with %d parameters cannot be sent there",
                         end_names[database->end], nparams);
    }
    for (int i = 0; i < nparams; i++) {
        values[i] = va_arg(args, const char *);
    }
    return query_run(database, &(Query){.sql = sql, .values = values, .count = nparams, .often = often}, out,
                     error);
}

int database_query(Database *database, PGresult **out, Error *error, const char *sql, int nparams, ...)
{
    va_list args;
    va_start(args, nparams);
    int status = query(database, out, error, sql, false, nparams, args);
    va_end(args);
    return status;
}

int database_often(Database *database, PGresult **out, Error *error, const char *sql, int nparams, ...)
{
    va_list args;
    va_start(args, nparams);
    int status = query(database, out, error, sql, true, nparams, args);
    va_end(args);
    return status;
}

int database_execute(Database *database, Error *error, const char *sql, int nparams, ...)
{
    va_list args;
    va_start(args, nparams);
    int status = query(database, NULL, error, sql, false, nparams, args);
    va_end(args);
    return status;
}

static bool has_value(const PGresult *result)
{
    return PQntuples(result) > 0 && PQnfields(result) > 0 && !PQgetisnull(result, 0, 0);
}

int database_value(Database *database, char **out, Error *error, const char *sql, int nparams, ...)
{
    PGresult *result;
    va_list args;
    va_start(args, nparams);
    int status = query(database, &result, error, sql, false, nparams, args);
    va_end(args);
    *out = NULL;
    if (status == 0 && has_value(result)) {
        *out = strdup(PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

int database_found(Database *database, bool *found, Error *error, const char *sql, int nparams, ...)
{
    PGresult *result;
    va_list args;
    va_start(args, nparams);
    int status = query(database, &result, error, sql, false, nparams, args);
    va_end(args);
    *found = status == 0 && has_value(result);
    PQclear(result);
    return status;
}

int database_identify(Database *database, char system[32], Error *error)
{
    char *identifier = NULL;
    int status = database_value(database, &identifier, error,
                                "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0);
    snprintf(system, 32, "%s", identifier != NULL ? identifier : "");
    free(identifier);
    return status;
}

int database_is_superuser(Database *database, bool *super, Error *error)
{
    return database_found(
        database, super, error,
        "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) current_user"
        " AND rolsuper",
        0);
}
