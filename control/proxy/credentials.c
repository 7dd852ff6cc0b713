/*
 * The surest check is a login. A proxy that stores only hashes, or passes on what the client proved, knows no
 * password that we could use: then equal verifiers in pg_authid on both sides mean that what works today
 * works there too.
 */
#include "credentials.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Reads one "quoted" word with doubled quotes; returns what follows it, or NULL. */
static const char *read_word(const char *at, char **word)
{
    at += strspn(at, " \t");
    if (*at++ != '"') {
        return NULL;
    }
    char *to = *word = malloc(strlen(at) + 1);
    for (; *at != '\0' && *at != '\n'; at++) {
        if (*at == '"' && *++at != '"') {
            break;
        }
        *to++ = *at;
    }
    *to = '\0';
    return at;
}

static bool is_hash(const char *password)
{
    return strncmp(password, "SCRAM-SHA-256$", 14) == 0 ||
           (strncmp(password, "md5", 3) == 0 && strlen(password) == 35);
}

char *credentials_password(const char *auth_file, const char *user)
{
    for (const char *line = auth_file; line != NULL && *line != '\0';) {
        char *name = NULL, *password = NULL;
        const char *rest = read_word(line, &name);
        if (rest != NULL) {
            read_word(rest, &password);
        }
        bool found = name != NULL && password != NULL && strcmp(name, user) == 0 && !is_hash(password);
        free(name);
        if (found) {
            return password;
        }
        free(password);
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    return NULL;
}

static int verifier(Database *database, const char *user, char **out, Error *error)
{
    return database_value(
        database, out, error,
        "SELECT coalesce(rolpassword, '') FROM pg_catalog.pg_authid WHERE rolname = $1 AND rolcanlogin", 1,
        user);
}

static int same_verifier(Database *source, Database *target, const char *user, Error *error)
{
    char *there = NULL, *here = NULL;
    int status = verifier(target, user, &there, error);
    if (status == 0) {
        status = verifier(source, user, &here, error);
    }
    if (status == 0 && there == NULL) {
        error_set(error, ERROR_TARGET, "the target has no role \"%s\" that may log in", user);
        status = error_hint(error, "Create it there as it is on the source (pg_dumpall --roles-only).");
    } else if (status == 0 && (here == NULL || strcmp(here, there) != 0)) {
        error_set(error, ERROR_TARGET, "role \"%s\" has another password on the target than on the source",
                  user);
        status = error_hint(error,
                            "Give it the same verifier: ALTER ROLE … PASSWORD with the text of rolpassword.");
    }
    free(there);
    free(here);
    return status;
}

/* A fenced database lets nobody in, so a login proves nothing there. */
static int is_fenced(Database *target, bool *fenced, Error *error)
{
    char *answer = NULL;
    int status = database_value(target, &answer, error,
                                "SELECT datconnlimit = 0 FROM pg_catalog.pg_database"
                                " WHERE datname = pg_catalog.current_database()",
                                0);
    *fenced = answer != NULL && *answer == 't';
    free(answer);
    return status;
}

int credentials_check(Database *source, Database *target, const Endpoint *to, const char *user,
                      const char *password, Error *error)
{
    const char *const keywords[] = {
        "host", "port", "dbname", "user", "password", "connect_timeout", "application_name", NULL};
    const char *const values[] = {to->host, to->port, to->database,         user,
                                  password, "5",      "penstock preflight", NULL};
    bool fenced;
    if (is_fenced(target, &fenced, error) != 0) {
        return -1;
    }
    if (fenced) {
        return same_verifier(source, target, user, error);
    }
    PGconn *connection = PQconnectdbParams(keywords, values, 0);
    int status = 0;
    if (PQstatus(connection) != CONNECTION_OK) {
        if (PQconnectionNeedsPassword(connection) && password == NULL) {
            status = same_verifier(source, target, user, error);
        } else {
            const char *message = PQerrorMessage(connection);
            const char *fatal = strstr(message, "FATAL:  ");
            message = fatal != NULL ? fatal + 8 : message;
            error_set(error, ERROR_TARGET,
                      "\"%s\", a user of the proxy, cannot log in at the target %s:%s: %.*s", user, to->host,
                      to->port, (int)strcspn(message, "\n"), message);
            status = error_hint(
                error, "Its clients would be disconnected by the switch: see to the role, its password "
                       "and pg_hba.conf there. --target-address says how the proxy reaches the target.");
        }
    }
    PQfinish(connection);
    return status;
}
