/*
 * Opening a connection, for database.c alone.
 */
#pragma once

#include <libpq-fe.h>

#include "database.h"

/*
 * As PQconnectdbParams with expand_dbname; but where the server itself refused the connection, sqlstate holds
 * its SQLSTATE, else "". NULL only when there is no memory. Ended by connect_timeout or by limits, it is neither
 * CONNECTION_OK nor CONNECTION_BAD.
 */
PGconn *connect_params(const char *const *keywords, const char *const *values, const QueryLimits *limits,
                       char sqlstate[6]);

/*
 * The reason of a failed connection in one line, without the SQLSTATE and the source location that libpq put
 * into it. Borrows nothing: the text is copied into out.
 */
void connect_reason(const PGconn *connection, char *out, size_t size);

/* Cuts the line breaks out of a message of libpq's, which indents the second line, in place. */
void connect_one_line(char *text);
