/*
 * What a Database is made of, for database.c and query.c alone.
 */
#pragma once

#include "database.h"

#define PREPARED_MAX                                                                                         \
    16 /* statements of one connection that are prepared; what comes beyond is sent as it is */

struct Database {
    PGconn *connection;
    DatabaseEnd end;
    QueryLimits limits; /* of every call that names none */
    const char
        *prepared[PREPARED_MAX]; /* texts of Query.often, by address; the statement is named by its place */
    int prepared_count;
};
