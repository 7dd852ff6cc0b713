/*
 * The surest check is a login. A proxy that stores only hashes, or passes on what the client proved, knows no
 * password that we could use: then equal verifiers in pg_authid on both sides mean that what works today
 * works there too.
 */
#include "credentials.h"

#include <stdlib.h>
#include <string.h>

#include "patience.h"

#define LOGIN_LIMIT_MS 5000

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

char *credentials_next_user(const char **at)
{
    while (*at != NULL && **at != '\0') {
        char *name = NULL;
        read_word(*at, &name);
        *at = strchr(*at, '\n');
        *at = *at != NULL ? *at + 1 : NULL;
        if (name != NULL) {
            return name;
        }
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
        error_set(error, ERROR_TARGET, "where clients are to go is no role \"%s\" that may log in", user);
        status = error_hint(error, "Create it as it is on the other server (pg_dumpall --roles-only).");
    } else if (status == 0 && (here == NULL || strcmp(here, there) != 0)) {
        error_set(error, ERROR_TARGET, "role \"%s\" has another verifier where clients are to go", user);
        status = error_hint(error,
                            "Give it the same verifier: ALTER ROLE … PASSWORD with the text of rolpassword.");
    }
    free(there);
    free(here);
    return status;
}

bool credentials_fenced(Database *server, const char *database)
{
    bool fenced = false;
    Error ignored;
    return database_found(server, &fenced, &ignored,
                          "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit = 0", 1,
                          database) == 0 &&
           fenced;
}

/*
 * Logs in as user. A fenced database turns everybody away, but only after the password: "too many connections" (53300) is
 * what one hears who would get in. The verbose form of an error begins with its SQLSTATE.
 */
static int try_login(const Endpoint *to, const char *user, const char *password, bool *unknown_password,
                     Error *error)
{
    const char *const keywords[] = {"host", "port", "dbname", "user", "password", "application_name", NULL};
    const char *const values[] = {to->host, to->port, to->database, user, password, "penstock preflight",
                                  NULL};
    PGconn *connection = PQconnectStartParams(keywords, values, 0);
    if (connection == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a connection");
    }
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    int status = patience_connect(connection, patience_until(LOGIN_LIMIT_MS), error);
    if (status != 0 && strncmp(error->message, "53300:", 6) == 0) {
        *error = (Error){.code = ERROR_NONE};
        status = 0;
    }
    /* A password that libpq found by itself (PGPASSWORD, a passfile) is somebody's, not the proxy's: it proves nothing. */
    *unknown_password =
        password == NULL && (PQconnectionNeedsPassword(connection) || PQconnectionUsedPassword(connection));
    PQfinish(connection);
    return status;
}

int credentials_check(Database *source, Database *target, const Endpoint *to, const char *user,
                      const char *password, Error *error)
{
    bool unknown_password = false;
    int status = try_login(to, user, password, &unknown_password, error);
    if (unknown_password) {
        *error = (Error){.code = ERROR_NONE}; /* what libpq said of a missing password is nobody's fault */
        return same_verifier(source, target, user, error);
    }
    if (status == 0) {
        return 0;
    }
    error_context(error, "\"%s\", a user of the proxy, cannot log in at %s:%s", user, to->host, to->port);
    error->code = ERROR_TARGET;
    return error_hint(error,
                      "Its clients would be disconnected by the switch: see to the role, its password and "
                      "pg_hba.conf there. --target-address (--source-address on the way back) says how the "
                      "proxy reaches that server.");
}
