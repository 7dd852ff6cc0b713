/*
 * A connection string for a program of PostgreSQL's, with the secret apart: what stands on a command line,
 * everybody on the machine can read.
 */
#pragma once

#include "error.h"
#include "text.h"

/*
 * From uri (or NULL): conninfo without its password, with application_name; and "PGPASSWORD=…" for the
 * environment, empty when the URI has none (libpq then finds it by itself, in .pgpass or a service file). session_options gets
 * the URI's "options" instead of conninfo, where they would take the place of PGOPTIONS.
 * dbname is used where the URI names none. ERROR_USAGE for a URI with sslpassword, for which there is no such
 * way. The caller frees the texts.
 */
int conninfo_split(const char *uri, const char *dbname, const char *application_name, Text *conninfo,
                   Text *password_entry, Text *session_options, Error *error) MUST_CHECK;
