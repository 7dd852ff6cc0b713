/*
 * libpq tells the SQLSTATE of a failed query, but not of a failed connection: after "password authentication
 * failed" there is only a text, in the server's language. Whether to try again hangs on it, so we connect
 * step by step, with the verbose form of messages switched on before the server says anything: "FATAL: 28P01:
 * password …", and read the SQLSTATE out of that.
 *
 * Stepping means that connect_timeout is ours to keep. With several hosts it is libpq that moves on to the
 * next one after each timeout, and it does so only in its blocking form; a list of hosts is therefore
 * connected blocking, and its failures have no SQLSTATE.
 */
#include "connect.h"

#include <ctype.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query.h"
#include "wait.h"

/* What libpq settled on for an option, from all of URI, service file and environment. The caller frees it. */
static char *effective_option(PGconn *connection, const char *keyword)
{
    char *value = NULL;
    PQconninfoOption *options = PQconninfo(connection);
    for (PQconninfoOption *option = options; option != NULL && option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0 && option->val != NULL) {
            value = strdup(option->val);
        }
    }
    PQconninfoFree(options);
    return value;
}

static bool has_several_hosts(PGconn *connection)
{
    char *host = effective_option(connection, "host");
    char *address = effective_option(connection, "hostaddr");
    bool several =
        (host != NULL && strchr(host, ',') != NULL) || (address != NULL && strchr(address, ',') != NULL);
    free(host);
    free(address);
    return several;
}

/* In milliseconds from now; -1 for none. As in libpq, zero and less mean none, and one second means two. */
static int connect_timeout_ms(PGconn *connection)
{
    char *text = effective_option(connection, "connect_timeout");
    long seconds = text != NULL ? strtol(text, NULL, 10) : 0;
    free(text);
    if (seconds <= 0) {
        return -1;
    }
    return seconds < 2 ? 2000 : seconds > INT32_MAX / 1000 ? INT32_MAX : (int)seconds * 1000;
}

/* Steps until the connection stands or has failed, or a limit ends it. */
static void step(PGconn *connection, const QueryLimits *limits)
{
    int timeout = connect_timeout_ms(connection);
    QueryLimits own = *limits;
    if (timeout >= 0) {
        own = query_sooner(own, query_within(timeout));
    }
    Error ignored;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED) {
        if (wait_socket(connection, wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, &own, &ignored) !=
            0) {
            return;
        }
        wanted = PQconnectPoll(connection);
    }
}

/*
 * Where the SQLSTATE stands in a verbose message, "SEVERITY:  XXXXX: "; NULL when there is none. There are two when libpq has tried
 * with TLS and without (sslmode=prefer): then what one of them says of the password or the database tells more than that
 * pg_hba.conf has no line for the other.
 */
static const char *find_sqlstate(const char *message)
{
    const char *found = NULL;
    for (const char *at = message; (at = strstr(at, ":  ")) != NULL; at++) {
        const char *state = at + 3;
        size_t length = 0;
        while (length < 5 &&
               (isdigit((unsigned char)state[length]) || isupper((unsigned char)state[length]))) {
            length++;
        }
        if (length == 5 && state[5] == ':' && state[6] == ' ' &&
            (found == NULL || strncmp(found, "28000", 5) == 0)) {
            found = state;
        }
    }
    return found;
}

/* What the database's settings and libraries have to say at the start of a session is not for our reader. */
static void drop_notice(void *context, const PGresult *notice)
{
    (void)context;
    (void)notice;
}

PGconn *connect_params(const char *const *keywords, const char *const *values, const QueryLimits *limits,
                       char sqlstate[6])
{
    sqlstate[0] = '\0';
    PGconn *connection = PQconnectStartParams(keywords, values, 1);
    if (connection == NULL || PQstatus(connection) == CONNECTION_BAD) {
        return connection;
    }
    if (has_several_hosts(connection)) {
        PQfinish(connection);
        return PQconnectdbParams(keywords, values, 1);
    }
    PQsetNoticeReceiver(connection, drop_notice, NULL);
    PGVerbosity usual = PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    step(connection, limits);
    PQsetErrorVerbosity(connection, usual);
    const char *state =
        PQstatus(connection) != CONNECTION_OK ? find_sqlstate(PQerrorMessage(connection)) : NULL;
    if (state != NULL) {
        memcpy(sqlstate, state, 5);
        sqlstate[5] = '\0';
    }
    return connection;
}

void connect_one_line(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != '\t') {
            *to++ = *from == '\n' ? ' ' : *from;
        }
    }
    *to = '\0';
    while (to > text && to[-1] == ' ') {
        *--to = '\0';
    }
}

void connect_reason(const PGconn *connection, char *out, size_t size)
{
    const char *message = PQerrorMessage(connection);
    const char *state = find_sqlstate(message);
    if (PQstatus(connection) != CONNECTION_BAD) {
        snprintf(out, size, "no answer within the connect timeout");
        return;
    }
    if (state == NULL) {
        snprintf(out, size, "%s", message);
    } else {
        const char *line = state; /* of this attempt alone */
        while (line > message && line[-1] != '\n') {
            line--;
        }
        snprintf(out, size, "%.*s%s", (int)(state - line), line, state + 7);
        char *location = strstr(out, "\nLOCATION:");
        if (location != NULL) {
            *location = '\0';
        }
    }
    connect_one_line(out);
}
