/*
 * Roles belong to a server and not to a database: pg_dump does not bring them. Here those that the target lacks are made there as
 * the source has them, with attributes, password, memberships, settings and comment. A role that is there already is left
 * exactly as it is, whatever the source's is like: it may be the target's own, of the same name.
 */
#pragma once

#include "database.h"
#include "error.h"

typedef struct RolesResult {
    int made;
    int refused;            /* by the target; told as they happen */
    bool without_passwords; /* the role of --source may not read them, or they were not wanted */
} RolesResult;

typedef struct RolesRequest {
    bool no_passwords;
    /* The statements, one text for each role; words is NULL when they succeeded, else the server's. A password is never in it. */
    void (*told)(void *context, const char *role, const char *words);
    void *context;
} RolesRequest;

/*
 * Makes the roles. Each is made in a transaction of its own, memberships when all roles are there. What the target refuses is
 * told and counted, and the rest goes on; an error is what ends all of it.
 */
int roles_make(Database *source, Database *target, const RolesRequest *request, RolesResult *out,
               Error *error) MUST_CHECK;
