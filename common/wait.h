/*
 * Waiting for a socket of libpq's, with an end. Private to common/: query.h and database.h are what others use.
 */
#pragma once

#include <libpq-fe.h>

#include "database.h"
#include "error.h"

/*
 * Waits until the socket is ready for events (POLLIN, POLLOUT). A signal ends a slice at once, so that limits.stop is looked
 * at. ERROR_LIMIT and ERROR_INTERRUPTED say only that; the caller says of what.
 */
int wait_socket(const PGconn *connection, short events, const QueryLimits *limits, Error *error) MUST_CHECK;
