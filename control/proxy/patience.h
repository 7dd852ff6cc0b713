/*
 * Waiting for a libpq connection, but not for ever: a proxy that holds its clients would hold us, too.
 *
 * Deadlines are milliseconds of the monotonic clock.
 */
#pragma once

#include <libpq-fe.h>
#include <stdbool.h>

#include "error.h"

long long patience_until(int limit_ms);

/*
 * Goes on with a connection that PQconnectStart began until it is made. ERROR_LIMIT past the deadline; ERROR_CONNECTION
 * when it failed, with the first line of the server's words, which hold no password.
 */
int patience_connect(PGconn *connection, long long deadline, Error *error) MUST_CHECK;

/*
 * Waits until PQgetResult would not. ERROR_LIMIT past the deadline, ERROR_INTERRUPTED when stop (NULL: never) says so,
 * ERROR_CONNECTION when the connection was lost.
 */
int patience_answer(PGconn *connection, long long deadline, bool (*stop)(void), Error *error) MUST_CHECK;

/* The text of the connection's last error, one line, without "FATAL:  ". Borrowed; *length is its length. */
const char *patience_words(const PGconn *connection, int *length);
