/*
 * Entries are looked up in the text of the files, users in SHOW POOLS: whoever has been connected since PgBouncer was started;
 * others in auth_file. An entry that forces a user has that one, seen or not.
 */
#include "pgbouncer/walk.h"

#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "file.h"

int pgbouncer_walk_entries(const char *text, char *const *entries, EntryVisit visit, void *context,
                           Error *error)
{
    int status = 0;
    for (size_t i = 0; status == 0 && entries[i] != NULL; i++) {
        Entry entry = {.name = entries[i]};
        char *line = NULL;
        status = ini_database_line(text, entries[i], &line, &entry.fallback, error);
        if (status == 0) {
            entry.line = line;
            status = visit(context, &entry, error);
        }
        free(line);
    }
    return status;
}

typedef struct Walk {
    const PGresult *pools;
    const char *auth_file; /* its text, or NULL */
    UserVisit visit;
    void *context;
    int unseen; /* that were visited */
} Walk;

static bool has_pool(const Walk *walk, const char *entry, const char *user)
{
    for (int row = 0; row < PQntuples(walk->pools); row++) {
        if (strcmp(console_field(walk->pools, row, "database"), entry) == 0 &&
            strcmp(console_field(walk->pools, row, "user"), user) == 0) {
            return true;
        }
    }
    return false;
}

static int visit_forced(const Walk *walk, const Entry *entry, const char *forced, Error *error)
{
    char *password = ini_line_setting(entry->line, "password");
    EntryUser user = {.entry = entry->name,
                      .line = entry->line,
                      .name = forced,
                      .password = password,
                      .pool_mode = "",
                      .forced = true};
    for (int row = 0; row < PQntuples(walk->pools); row++) {
        if (strcmp(console_field(walk->pools, row, "database"), entry->name) == 0) {
            user.pool_mode = console_field(walk->pools, row, "pool_mode");
        }
    }
    int status = walk->visit(walk->context, &user, error);
    free(password);
    return status;
}

static int visit_seen(const Walk *walk, const Entry *entry, Error *error)
{
    int status = 0;
    for (int row = 0; status == 0 && row < PQntuples(walk->pools); row++) {
        const char *name = console_field(walk->pools, row, "user");
        if (strcmp(console_field(walk->pools, row, "database"), entry->name) != 0) {
            continue;
        }
        char *password = walk->auth_file != NULL ? credentials_password(walk->auth_file, name) : NULL;
        EntryUser user = {.entry = entry->name,
                          .line = entry->line,
                          .name = name,
                          .password = password,
                          .pool_mode = console_field(walk->pools, row, "pool_mode")};
        status = walk->visit(walk->context, &user, error);
        free(password);
    }
    return status;
}

static int visit_unseen(void *context, const Entry *entry, Error *error)
{
    Walk *walk = context;
    char *name, *forced = ini_line_setting(entry->line, "user");
    const char *at = forced == NULL ? walk->auth_file : NULL;
    int status = 0;
    free(forced);
    while (status == 0 && walk->unseen < WALK_UNSEEN && (name = credentials_next_user(&at)) != NULL) {
        if (!has_pool(walk, entry->name, name)) {
            char *password = credentials_password(walk->auth_file, name);
            EntryUser user = {.entry = entry->name,
                              .line = entry->line,
                              .name = name,
                              .password = password,
                              .pool_mode = "",
                              .unseen = true};
            walk->unseen++;
            status = walk->visit(walk->context, &user, error);
            free(password);
        }
        free(name);
    }
    return status;
}

static int visit_entry(void *context, const Entry *entry, Error *error)
{
    const Walk *walk = context;
    char *forced = ini_line_setting(entry->line, "user");
    int status = forced != NULL ? visit_forced(walk, entry, forced, error) : visit_seen(walk, entry, error);
    free(forced);
    return status;
}

int pgbouncer_walk_users(Proxy *proxy, const PGresult *config, const char *text, char *const *entries,
                         UserVisit visit, void *context, Error *error)
{
    PGresult *pools;
    char *auth_file = NULL;
    Error ignored;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, error) != 0) {
        return -1;
    }
    const char *path = pgbouncer_setting(config, "auth_file");
    if (*path == '\0' || file_read(path, &auth_file, &ignored) != 0) {
        auth_file = NULL;
    }
    Walk walk = {.pools = pools, .auth_file = auth_file, .visit = visit, .context = context};
    int status = pgbouncer_walk_entries(text, entries, visit_entry, &walk, error);
    if (status == 0) {
        status = pgbouncer_walk_entries(text, entries, visit_unseen, &walk, error);
    }
    free(auth_file);
    PQclear(pools);
    return status;
}
