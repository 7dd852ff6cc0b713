/*
 * What a Database is made of, for database.c and query.c alone.
 */
#pragma once

#include "database.h"

struct Database {
    PGconn *connection;
    DatabaseEnd end;
    QueryLimits limits; /* of every call that names none */
};
