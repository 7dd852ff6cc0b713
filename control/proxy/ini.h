/*
 * Edits the text of a PgBouncer configuration file: pure functions from text to text, no I/O.
 *
 * Only the one line of [databases] that is asked for changes; comments, order, spacing and line ends of
 * everything else stay byte for byte. Names and values follow PgBouncer's own rules: a name may stand in
 * double quotes, a value in single quotes, each doubled inside. %include is not followed: a line in an
 * included file is not found.
 */
#pragma once

#include <stdbool.h>

#include "error.h"

/* Where a database is reached. The host may be a socket directory. */
typedef struct Endpoint {
    char host[256];
    char port[8];
    char database[64];
} Endpoint;

/* The value of key in [section], without quotes; NULL when it is not set. The caller frees it. */
char *ini_value(const char *text, const char *section, const char *key);

/* Where a line of [databases] leads, each value as it is written there, quotes included; NULL when it is not set. */
typedef struct IniPlace {
    char *host;
    char *port;
    char *dbname;
} IniPlace;

void ini_place_free(IniPlace *place);

/*
 * The line of [databases] that serves name, without its line end: the caller frees *line. *fallback says that
 * it is the `*` line. ERROR_STATE when there is none, or more than one.
 */
int ini_database_line(const char *text, const char *name, char **line, bool *fallback,
                      Error *error) MUST_CHECK;

/* The setting key of such a line, unquoted; NULL when it is not set. The caller frees it. */
char *ini_line_setting(const char *line, const char *key);

/* Where such a line leads. The caller frees *out with ini_place_free. */
void ini_line_place(const char *line, IniPlace *out);

/*
 * text with host, port and dbname of name's line changed to where; everything else in the line stays. dbname
 * is only written where it is needed. When only the `*` line serves name, a line for name alone is added
 * above it, with the same settings. The caller frees *out.
 */
int ini_database_point(const char *text, const char *name, const Endpoint *where, char **out,
                       Error *error) MUST_CHECK;

/*
 * text with name's own line leading to place again. A line that ini_database_point added stays, leading to
 * where the `*` line led: taking it out would make PgBouncer drop the database's clients. Without such a line
 * text is as it should be. The caller frees *out.
 */
int ini_database_restore(const char *text, const char *name, const IniPlace *place, char **out,
                         Error *error) MUST_CHECK;
