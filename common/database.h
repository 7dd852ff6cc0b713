/*
 * Talking to a PostgreSQL server in plain SQL: connect, query, read the rows. Each call ends at the limits that its Database
 * was given; query.h says how, and has the call for what needs limits of its own.
 *
 * For catalogs, state and the CLI; the hot path of the applier uses libpq itself on the PGconn within. Every
 * connection made here has a statement of who it is (application_name), TCP keepalives and user timeout, a
 * connect timeout, and the settings of session_settings.h: whatever the server, the database or the role sets for others,
 * values of PostgreSQL 11 and 14 compare equal, no limit of time ends a long statement, and commits are waited for. Errors
 * carry SQLSTATE, and never the password of the URI.
 *
 * A connection that leads to a pooler instead of the server is refused (ERROR_USAGE) before anything is set in it.
 *
 * DATABASE_PROXY is the admin console of a proxy: it gets none of these settings, and only queries without
 * parameters.
 *
 * A Database belongs to one thread at a time.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "session_settings.h"

typedef struct Database Database;

typedef enum DatabaseEnd { DATABASE_SOURCE, DATABASE_TARGET, DATABASE_PROXY } DatabaseEnd;

/* How long a call may wait. Zeroed: for as long as it takes. */
typedef struct QueryLimits {
    int64_t deadline;   /* on clock_ms; 0: none */
    bool (*stop)(void); /* true when the operator wants to end, looked at ten times a second; NULL: never */
} QueryLimits;

/*
 * Connects to the server that uri names (URI or key=value string, NULL or "" for libpq's defaults). end is
 * used in error messages and chooses ERROR_SOURCE, ERROR_TARGET or ERROR_PROXY. purpose becomes
 * application_name "penstock PURPOSE". The caller frees *out with database_close.
 */
int database_connect(const char *uri, DatabaseEnd end, const char *purpose, Database **out,
                     Error *error) MUST_CHECK;

/* The same for a session of another kind than SESSION_PLAIN. */
int database_connect_as(SessionKind kind, const char *uri, DatabaseEnd end, const char *purpose,
                        Database **out, Error *error) MUST_CHECK;

/* The same within limits, which stay those of the Database until database_limit. */
int database_connect_within(const char *uri, DatabaseEnd end, const char *purpose, QueryLimits limits,
                            Database **out, Error *error) MUST_CHECK;
void database_close(Database *database);

/* "source", "target", "proxy". */
const char *database_end_name(DatabaseEnd end);

/* Sets the limits of every later call, and says what they are. */
void database_limit(Database *database, QueryLimits limits);
QueryLimits database_limits(const Database *database);

/* The libpq connection, borrowed. */
PGconn *database_connection(Database *database);

/* server_version_num: 110022. */
int database_version(const Database *database);

/*
 * Runs sql with nparams text parameters ($1…; a NULL pointer is SQL NULL) given as const char * varargs, and
 * gives the result, which the caller frees with PQclear; where out is NULL it is thrown away. With nparams = 0 sql may hold several
 * statements.
 */
int database_query(Database *database, PGresult **out, Error *error, const char *sql, int nparams,
                   ...) MUST_CHECK;

/*
 * The same for a statement that this connection is asked again and again, of which planning is most of the cost: it is prepared
 * the first time. sql is known by its address, and must outlive the Database.
 */
int database_often(Database *database, PGresult **out, Error *error, const char *sql, int nparams,
                   ...) MUST_CHECK;

/* The same, throwing the result away. */
int database_execute(Database *database, Error *error, const char *sql, int nparams, ...) MUST_CHECK;

/*
 * The same, for a query that gives one row of one column. The caller frees *out; it is NULL for SQL NULL or
 * no row.
 */
int database_value(Database *database, char **out, Error *error, const char *sql, int nparams,
                   ...) MUST_CHECK;

/* Whether it gives a row whose first column is not NULL. *found is false when the query fails. */
int database_found(Database *database, bool *found, Error *error, const char *sql, int nparams,
                   ...) MUST_CHECK;

/* The system identifier of the server, by which it is known again; a physical replica has that of its primary. */
int database_identify(Database *database, char system[32], Error *error) MUST_CHECK;

/* Whether the role that is connected is a superuser. *super is false when the query fails. */
int database_is_superuser(Database *database, bool *super, Error *error) MUST_CHECK;

/* In a server's hint, whatever its language, when its table of locks is full (LockAcquireExtended, all majors). */
#define DATABASE_LOCKS_SETTING "max_locks_per_transaction"

/* Says what to do about that. Returns -1. */
int database_hint_locks(DatabaseEnd end, Error *error);

/* Fills error from a failed result or, when result is NULL or says nothing, from the connection. Returns -1. */
int database_error(Database *database, const PGresult *result, Error *error);

/* The class of an SQLSTATE for the side `end`: which code an error with it gets. */
ErrorCode database_error_code(const char *sqlstate, DatabaseEnd end);

/*
 * Whether libpq can take uri apart; ERROR_USAGE says for whom (end_name) and why, without any part of uri that may be a
 * secret.
 */
int conninfo_check(const char *uri, const char *end_name, Error *error) MUST_CHECK;

/* What uri says for keyword; NULL when it says nothing, or cannot be taken apart. The caller frees it. */
char *conninfo_get(const char *uri, const char *keyword);

/* uri as a key=value string that leads to that database; NULL when libpq cannot take it apart. The caller frees it. */
char *conninfo_with_database(const char *uri, const char *database);

/* uri as a key=value string without its passwords, for people to read. The caller frees it. */
char *database_redact(const char *uri);

/*
 * The same with its passwords and with replication=database, for connecting. NULL when libpq cannot take uri apart: then
 * database_connect refuses uri itself in its own words. The caller frees it.
 */
char *database_replication(const char *uri);

/* `"na""me"`: an identifier, always quoted. The caller frees it. */
char *database_quote(const char *identifier);
