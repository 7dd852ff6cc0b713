/*
 * Connections as the copy wants them: a bound on waits for locks, and a stated client encoding. And waiting for a long
 * statement in a way that a signal, a stop flag or a time limit can end.
 */
#pragma once

#include <stdatomic.h>

#include "database.h"
#include "error.h"

/* Seconds that a session waits for a lock before it gives up. */
#define SESSION_LOCK_TIMEOUT 60

/*
 * encoding: client_encoding for the session, NULL for that of names (session_settings.h). A signal ends its statements:
 * ERROR_INTERRUPTED. The caller frees *out with database_close.
 */
int session_open(const char *uri, DatabaseEnd end, const char *purpose, const char *encoding, Database **out,
                 Error *error) MUST_CHECK;

/* The same for a session of another kind than SESSION_PLAIN. */
int session_open_as(SessionKind kind, const char *uri, DatabaseEnd end, const char *purpose,
                    const char *encoding, Database **out, Error *error) MUST_CHECK;

/* What it is asked from now on is asked behind a signal, too, within some seconds in all: to put things in order. NULL: nothing. */
void session_last_words(Database *database);

/*
 * The same to the source with replication=database: takes replication commands and plain SQL without parameters. Without a
 * bound on waits for locks: a new slot waits for transactions by their locks, for as long as its caller wants.
 */
int session_open_replication(const char *uri, const char *purpose, Database **out, Error *error) MUST_CHECK;

/*
 * What a server's process knows of a table that it has had in hand it keeps until its session ends: 15 kB for one of three
 * columns with its key (11.22 and 14.23; catalog and relation caches). So whoever goes through very many has another session after so
 * many columns, each table counting as some more: about 40 MB.
 */
#define SESSION_FULL 25000
#define SESSION_TABLE 10

/* Why a wait is over before what it waits for. */
typedef struct SessionWait {
    const atomic_bool *stop; /* another thread asks to stop, or NULL */
    int limit_seconds;
    const char *what; /* for the message: "analysing table x" */
} SessionWait;

/* ERROR_INTERRUPTED when the wait should end. */
int session_stopped(const SessionWait *wait, Error *error) MUST_CHECK;

/*
 * Waits until the connection can be read, or written when for_writing is set, for at most a second.
 * Gives 1 when it can, 0 when not yet, -1 with ERROR_INTERRUPTED when it should stop.
 */
int session_poll(Database *database, bool for_writing, const SessionWait *wait, Error *error) MUST_CHECK;

/*
 * Sends sql and waits for its last result, which the caller frees with PQclear. When the wait ends early the
 * statement is cancelled on the server and the error is ERROR_INTERRUPTED or ERROR_LIMIT.
 */
int session_run(Database *database, const char *sql, const SessionWait *wait, PGresult **out,
                Error *error) MUST_CHECK;

/* The second half of session_run: a statement was sent, or a COPY ended. */
int session_finish(Database *database, const SessionWait *wait, PGresult **out, Error *error) MUST_CHECK;

/*
 * One result of a query of several statements: *out, which the caller frees with PQclear, or NULL behind the last. ERROR_… of the
 * statement that failed; the others are not run then, and all is read.
 */
int session_next(Database *database, const SessionWait *wait, PGresult **out, Error *error) MUST_CHECK;

/* The results up to where the next COPY begins, which has to come. */
int session_next_copy(Database *database, const SessionWait *wait, Error *error) MUST_CHECK;

/* query_cancel. */
void session_cancel(Database *database);
