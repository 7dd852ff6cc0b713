/*
 * libpq parses the string; every option that was given is written back as key='value'.
 */
#include "conninfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <string.h>

static int add_option(const PQconninfoOption *option, Text *conninfo, Text *password_entry,
                      Text *session_options, Error *error)
{
    if (strcmp(option->keyword, "password") == 0) {
        text_printf(password_entry, "PGPASSWORD=%s", option->val);
    } else if (strcmp(option->keyword, "sslpassword") == 0) {
        error_set(error, ERROR_USAGE,
                  "sslpassword in a connection string cannot be handed to pg_dump in secret");
        return error_hint(error, "use a key file without a password, readable by its owner alone");
    } else if (strcmp(option->keyword, "options") == 0) {
        text_append(session_options, option->val);
    } else if (strcmp(option->keyword, "application_name") != 0) {
        text_conninfo_add(conninfo, option->keyword, option->val);
    }
    return 0;
}

int conninfo_split(const char *uri, const char *dbname, const char *application_name, Text *conninfo,
                   Text *password_entry, Text *session_options, Error *error)
{
    PQconninfoOption *options = PQconninfoParse(uri != NULL ? uri : "", NULL);
    if (options == NULL) {
        return error_set(error, ERROR_USAGE, "the connection string is not valid");
    }
    int status = 0;
    bool named = false;
    for (const PQconninfoOption *option = options; status == 0 && option->keyword != NULL; option++) {
        if (option->val != NULL) {
            named = named || strcmp(option->keyword, "dbname") == 0;
            status = add_option(option, conninfo, password_entry, session_options, error);
        }
    }
    PQconninfoFree(options);
    if (!named) {
        text_conninfo_add(conninfo, "dbname", dbname);
    }
    text_conninfo_add(conninfo, "application_name", application_name);
    return status;
}
