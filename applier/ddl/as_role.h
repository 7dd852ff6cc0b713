/*
 * AsRole: SQL of the stream as a role that it cannot leave. What the stream brings may call functions that the role has written
 * (the default of a new column, the CHECK of a domain), in a session of whoever may do everything.
 *
 *     as_role_open ──► as_role_run, as often as needed ──► as_role_close        in one transaction of the caller's, in this order
 *
 * A savepoint between as_role_open and as_role_run may be rolled back to. When one of them has failed, the caller ends the
 * transaction.
 */
#pragma once

#include <stdbool.h>

#include "database.h"
#include "error.h"

typedef struct AsRole {
    Database *target; /* borrowed */
    bool
        confined; /* else the role is a superuser of the target, or none is said: there is nothing to keep it from */
    char room[64]; /* name, where confined */
} AsRole;

/* role "" means the session's own. ERROR_TARGET with a hint where the target does not have it. */
int as_role_open(AsRole *out, Database *target, const char *role, Error *error) MUST_CHECK;

/* sql may be several statements. It finds what path, a search_path, says. */
int as_role_run(const AsRole *as, const char *path, const char *sql, Error *error) MUST_CHECK;
int as_role_close(const AsRole *as, Error *error) MUST_CHECK;
