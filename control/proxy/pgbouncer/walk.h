/*
 * The entries of PgBouncer's configuration, and the users whom it logs in as for each. Private to this folder.
 *
 * Everything that a visit is given is borrowed, and gone when it returns. The first visit that fails ends the walk.
 */
#pragma once

#include "pgbouncer/pgbouncer.h"

typedef struct Entry {
    const char *name;
    const char *line; /* that serves it */
    bool fallback;    /* it is the `*` line */
} Entry;

typedef int (*EntryVisit)(void *context, const Entry *entry, Error *error);

/* Visits each of the entries, which are NULL-terminated, with its line in text. */
int pgbouncer_walk_entries(const char *text, char *const *entries, EntryVisit visit, void *context,
                           Error *error) MUST_CHECK;

/* Somebody as whom PgBouncer logs in at the server. */
typedef struct EntryUser {
    const char *entry, *line;
    const char *name;
    const char
        *password; /* NULL: not known; of the entry's line where it forces the user, else in auth_file */
    const char *pool_mode; /* of this user; "" when nobody has said */
    bool forced;           /* by the entry's line: clients come under whatever name */
    bool unseen;           /* has not been connected since PgBouncer was started */
} EntryUser;

typedef int (*UserVisit)(void *context, const EntryUser *user, Error *error);

/* How many of those who have not been connected are visited. */
#define WALK_UNSEEN 50

/*
 * Visits each user of the entries who has been connected, each whom an entry forces, and some of those in auth_file who have not
 * been connected. config is SHOW CONFIG.
 */
int pgbouncer_walk_users(Proxy *proxy, const PGresult *config, const char *text, char *const *entries,
                         UserVisit visit, void *context, Error *error) MUST_CHECK;
