/*
 * penstock proxy, for PgBouncer: an entry leads to one server, so there is a primary and nothing else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "number.h"
#include "pgbouncer/pgbouncer.h"
#include "route.h"
#include "server.h"

/* --- show --- */

static void count_clients(const PGresult *pools, const char *database, int *active, int *waiting)
{
    *active = *waiting = 0;
    for (int row = 0; row < PQntuples(pools); row++) {
        if (strcmp(console_field(pools, row, "database"), database) == 0) {
            *active += number_int(console_field(pools, row, "cl_active"));
            *waiting += number_int(console_field(pools, row, "cl_waiting"));
        }
    }
}

static void add_row(const PGresult *databases, int number, const PGresult *pools, const char *default_mode,
                    json_t *rows)
{
    const char *name = console_field(databases, number, "name"),
               *host = console_field(databases, number, "host");
    const char *mode = console_field(databases, number, "pool_mode");
    int active, waiting;
    count_clients(pools, name, &active, &waiting);
    if (strcmp(name, "pgbouncer") != 0) {
        json_array_append_new(rows,
                              json_pack("{s:s, s:s, s:s, s:s, s:n, s:s, s:s, s:b, s:i, s:i}", "pool", name,
                                        "database", console_field(databases, number, "database"), "mode",
                                        *mode != '\0' ? mode : default_mode, "role", "primary", "split",
                                        "host", host, "port", console_field(databases, number, "port"),
                                        "paused", number_int(console_field(databases, number, "paused")) != 0,
                                        "active", active, "waiting", waiting));
    }
}

int pgbouncer_show(Proxy *proxy, json_t **rows, Error *error)
{
    PGresult *config = NULL, *databases = NULL, *pools = NULL;
    int status = console_run(&proxy->console, "SHOW CONFIG", &config, error);
    if (status == 0) {
        status = console_run(&proxy->console, "SHOW DATABASES", &databases, error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "SHOW POOLS", &pools, error);
    }
    *rows = json_array();
    for (int row = 0; status == 0 && row < PQntuples(databases); row++) {
        add_row(databases, row, pools,
                console_field(config, console_row(config, "key", "pool_mode"), "value"), *rows);
    }
    PQclear(config);
    PQclear(databases);
    PQclear(pools);
    return status;
}

/* --- set --- */

static int check_wish(const ProxyWish *wish, Error *error)
{
    if (wish->replica_count > 0 || wish->mirror_count > 0 || wish->split != SPLIT_AS_IT_IS) {
        error_set(error, ERROR_USAGE,
                  "PgBouncer knows one server for each entry: no replicas, mirrors or splitting");
        return error_hint(
            error, "Only --primary can be set. Reads can be led to a replica by an entry of their own.");
    }
    return 0;
}

static int look_as(const Console *console, const ProxyContext *context, const RouteUser *user,
                   ProxyReport *report, Error *error)
{
    ProxyWish wish = {.primary = context->to};
    ServerLogin login = {
        .database = context->to.database, .user = user->server_name, .password = user->server_password};
    (void)console;
    (void)report;
    return server_check_wish(&wish, &login, error);
}

static void add_key(json_t *change, const char *entry, const char *key, const char *before, const char *after)
{
    change_add(change, (const char *const[]){"databases", entry, NULL}, key, before, after);
}

/* The change is made by hand from the line's places, since the line itself may hold a password. */
static int make_change(Proxy *proxy, const char *before, const char *after, json_t **change, Error *error)
{
    char *old = NULL, *new = NULL;
    bool old_fallback, new_fallback;
    int status = ini_database_line(before, proxy->entry, &old, &old_fallback, error);
    if (status == 0) {
        status = ini_database_line(after, proxy->entry, &new, &new_fallback, error);
    }
    if (status == 0) {
        IniPlace from, to;
        ini_line_place(old, &from);
        ini_line_place(new, &to);
        *change = change_new(store_path(proxy->store));
        add_key(*change, proxy->entry, "host", from.host, to.host);
        add_key(*change, proxy->entry, "port", from.port, to.port);
        add_key(*change, proxy->entry, "dbname", from.dbname, to.dbname);
        ini_place_free(&from);
        ini_place_free(&to);
    }
    free(old);
    free(new);
    return status;
}

/* What was is kept beside the file. */
static int read_here(Proxy *proxy, ConfigFiles *files, Error *error)
{
    if (pgbouncer_read(proxy, files, error) != 0) {
        return -1;
    }
    if (store_path(proxy->store) != NULL) {
        return 0;
    }
    config_files_free(files);
    error_set(error, ERROR_USAGE, "\"%s\" is not a file here", store_name(proxy->store));
    return error_hint(error,
                      "penstock proxy set keeps beside the file how to go back: run it where the file is.");
}

/* Makes edited what PgBouncer has; text again when it does not take it. */
static int apply(Proxy *proxy, ConfigFiles *files, const char *edited, Error *error)
{
    char *text = strdup(files->flat);
    Error other;
    int status = config_files_edit(files, edited, error);
    if (status == 0 && pgbouncer_apply(proxy, files, false, error) != 0) {
        bool back =
            config_files_edit(files, text, &other) == 0 && pgbouncer_apply(proxy, files, false, &other) == 0;
        status =
            back ? error_context(error, "taken back")
                 : error_context(error, "taken back, but PgBouncer may not have it (%.200s)", other.message);
    }
    free(text);
    return status;
}

static int keep_and_apply(Proxy *proxy, ConfigFiles *files, const char *edited, const json_t *change,
                          Error *error)
{
    json_t *previous;
    int status = change_keep(change, &previous, error);
    if (status == 0) {
        status = apply(proxy, files, edited, error);
    }
    if (status == 0) {
        json_decref(previous);
    } else {
        change_drop(change, previous);
    }
    return status;
}

/* Where the entry is to lead; the database's name stays. */
static int wished_place(Proxy *proxy, const char *text, const ProxyWish *wish, Endpoint *out, Error *error)
{
    char *line = NULL;
    bool fallback;
    if (ini_database_line(text, proxy->entry, &line, &fallback, error) != 0) {
        return -1;
    }
    char *name = ini_line_setting(line, "dbname");
    *out = wish->primary;
    snprintf(out->database, sizeof out->database, "%s", name != NULL ? name : proxy->entry);
    free(name);
    free(line);
    return 0;
}

static int check_before(Proxy *proxy, const ConfigFiles *files, const ProxyContext *context, Error *error)
{
    char *const own[] = {proxy->entry, NULL};
    ProxyReport report = {0};
    if (config_files_check(proxy->store, files, error) != 0 ||
        pgbouncer_check_shown(proxy, files->flat, own, error) != 0) {
        return -1;
    }
    return pgbouncer_visit_users(proxy, look_as, context, &report, error);
}

static int set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    ConfigFiles files;
    char *edited = NULL;
    ProxyContext context = {0};
    *change = NULL;
    proxy->named = true; /* this entry and no other */
    if (check_wish(wish, error) != 0 || read_here(proxy, &files, error) != 0) {
        return -1;
    }
    int status = wished_place(proxy, files.flat, wish, &context.to, error);
    if (status == 0) {
        status = ini_database_point(files.flat, proxy->entry, &context.to, &edited, error);
    }
    if (status == 0) {
        status = check_before(proxy, &files, &context, error);
    }
    if (status == 0) {
        status = make_change(proxy, files.flat, edited, change, error);
    }
    if (status == 0 && !dry_run && json_array_size(json_object_get(*change, "changes")) > 0) {
        status = keep_and_apply(proxy, &files, edited, *change, error);
    }
    free(edited);
    config_files_free(&files);
    return status;
}

/* The keys of the reversed change over those that the line has now, which must be what was set. */
static int place_back(const json_t *change, IniPlace *place, Error *error)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(change, "changes"), i, one)
    {
        const char *key = json_string_value(json_object_get(one, "key"));
        const char *after = json_string_value(json_object_get(one, "after"));
        char **value = strcmp(key, "host") == 0   ? &place->host
                       : strcmp(key, "port") == 0 ? &place->port
                                                  : &place->dbname;
        const char *before = json_string_value(json_object_get(one, "before"));
        if ((*value == NULL) != (before == NULL) || (before != NULL && strcmp(*value, before) != 0)) {
            return error_set(error, ERROR_STATE, "%s of the entry has been changed by someone else", key);
        }
        free(*value);
        *value = after != NULL ? strdup(after) : NULL;
    }
    return 0;
}

static int set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error)
{
    json_t *kept = NULL;
    ConfigFiles files;
    char *edited = NULL, *line = NULL;
    IniPlace place = {0};
    bool fallback;
    *change = NULL;
    proxy->named = true;
    if (read_here(proxy, &files, error) != 0) {
        return -1;
    }
    int status = change_load(store_path(proxy->store), &kept, error);
    if (status == 0) {
        *change = change_reversed(kept);
        status = ini_database_line(files.flat, proxy->entry, &line, &fallback, error);
    }
    if (status == 0) {
        ini_line_place(line, &place);
        status = place_back(*change, &place, error);
    }
    if (status == 0) {
        status = ini_database_restore(files.flat, proxy->entry, &place, &edited, error);
    }
    if (status == 0 && !dry_run) {
        status = apply(proxy, &files, edited, error);
        if (status == 0) {
            change_forget(kept);
        }
    }
    ini_place_free(&place);
    json_decref(kept);
    free(line);
    free(edited);
    config_files_free(&files);
    return status;
}

/* With the files to itself; wish NULL: what was set is set back. */
static int set_alone(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    *change = NULL;
    if (pgbouncer_take_files(proxy, NULL, error) != 0) {
        return -1;
    }
    int status =
        wish != NULL ? set(proxy, wish, dry_run, change, error) : set_back(proxy, dry_run, change, error);
    pgbouncer_give_files(proxy);
    return status;
}

int pgbouncer_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    return set_alone(proxy, wish, dry_run, change, error);
}

int pgbouncer_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error)
{
    return set_alone(proxy, NULL, dry_run, change, error);
}
