#include "ends.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

static const char try_sql[] = "SELECT pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8)";
static const char give_back_sql[] = "SELECT pg_catalog.pg_advisory_unlock($1::pg_catalog.int8)";

/* Whether it was taken: 't' when nobody else in that database has the lock. */
static int try_lock(Database *database, const char *key, bool *taken, Error *error)
{
    char *answer = NULL;
    int status = database_value(database, &answer, error, try_sql, 1, key);
    *taken = answer != NULL && strcmp(answer, "t") == 0;
    free(answer);
    return status;
}

int ends_same(Database *source, Database *target, bool *same, Error *error)
{
    int64_t number;
    char key[24];
    bool here = false, there = false;
    *same = false;
    if (random_fill(&number, sizeof number, error) != 0) {
        return -1;
    }
    snprintf(key, sizeof key, "%lld", (long long)number);
    if (try_lock(source, key, &here, error) != 0) {
        return -1;
    }
    int status = try_lock(target, key, &there, error);
    *same = status == 0 && here && !there;
    if (status == 0 && there) {
        status = database_execute(target, error, give_back_sql, 1, key);
    }
    return database_execute(source, error, give_back_sql, 1, key) == 0 ? status : -1;
}

int ends_differ(Database *source, Database *target, Error *error)
{
    bool same = false;
    if (ends_same(source, target, &same, error) != 0) {
        return -1;
    }
    if (!same) {
        return 0;
    }
    error_set(error, ERROR_USAGE, "--source and --target lead to one and the same database, \"%s\"",
              PQdb(database_connection(source)));
    return error_hint(error, "Name the database that it is moved to as --target.");
}
