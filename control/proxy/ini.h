/*
 * Edits the text of a PgBouncer configuration file: pure functions from text to text, no I/O.
 *
 * Only the one line of [databases] that is asked for changes; comments, order, spacing and line ends of
 * everything else stay byte for byte. Names and values follow PgBouncer's own rules: a name may stand in
 * double quotes, a value in single quotes, each doubled inside. %include is not followed here: config_files.h makes
 * one text of a file and what it includes.
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

/* Frees a NULL-terminated list of names; NULL is none. */
void ini_names_free(char **names);

/*
 * A line for a database called name, of letters, digits and _, with the settings of line, which serves database and may be
 * the `*` line. where, user and pool_size (each NULL: as they are) are set in it. The caller frees it.
 */
char *ini_line_copy(const char *line, const char *name, const char *database, const Endpoint *where,
                    const char *user, const char *pool_size);

/* The next setting called key in any line of [section], unquoted; NULL past the last. *at begins as text; the caller frees
 * the value. *name, when not NULL, is the line's own name, freed by the caller too. */
char *ini_next_setting(const char *text, const char **at, const char *section, const char *key, char **name);

/*
 * That PgBouncer can read the text: ERROR_STATE with the number of the first line that it cannot, since it may stop there and
 * take its defaults for all that follows. is_known tells whether it has a setting of that name.
 */
int ini_check(const char *text, bool (*is_known)(const void *context, const char *key), const void *context,
              Error *error) MUST_CHECK;
