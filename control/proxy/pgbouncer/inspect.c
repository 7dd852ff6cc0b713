/*
 * From what only looks to what acts: what would go wrong in the hold is found first, then the file is replaced by itself and
 * reloaded, then the switch is rehearsed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/walk.h"
#include "route.h"

#define REHEARSAL_LIMIT_MS 60000

#define SESSION_HINT                                                                                         \
    "PAUSE would wait until every client has left. Three ways: transaction pooling; --proxy none, with the " \
    "clients stopped; or sessions=end behind the --proxy: then KILL ends the sessions there are, each with " \
    "an error for its client, and who connects again waits for the switch."

static int count_sessions(Proxy *proxy, const char *entry)
{
    PGresult *pools;
    Error ignored;
    int count = 0;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, &ignored) != 0) {
        return 0;
    }
    for (int row = 0; row < PQntuples(pools); row++) {
        if (strcmp(console_field(pools, row, "database"), entry) == 0) {
            count += number_int(console_field(pools, row, "cl_active")) +
                     number_int(console_field(pools, row, "cl_waiting"));
        }
    }
    PQclear(pools);
    return count;
}

/* mode is of the entry, or of one user of it. */
static int check_mode(Proxy *proxy, const char *entry, const char *user, const char *mode, Error *error)
{
    if (strcmp(mode, "session") != 0 || proxy->ends_sessions) {
        return 0;
    }
    error_set(error, ERROR_STATE, "PgBouncer pools \"%s\"%s%s%s by session; now connected: %d", entry,
              user != NULL ? " of user \"" : "", user != NULL ? user : "", user != NULL ? "\"" : "",
              count_sessions(proxy, entry));
    return error_hint(error, SESSION_HINT);
}

static int check_awake(const PGresult *databases, int row, const char *entry, Error *error)
{
    if (number_int(console_field(databases, row, "paused")) != 0) {
        error_set(error, ERROR_STATE, "\"%s\" is paused in PgBouncer already", entry);
        return error_hint(error, "Find out by whom; then RESUME it, or penstock cutover --undo.");
    }
    if (number_int(console_field(databases, row, "disabled")) != 0) {
        error_set(error, ERROR_STATE, "\"%s\" is disabled in PgBouncer", entry);
        return error_hint(error, "Clients are turned away already: ENABLE it, or see why.");
    }
    return 0;
}

static int check_entry(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                       const PGresult *databases, const char *entry, ProxyReport *report, Error *error)
{
    int row = console_row(databases, "name", entry);
    const char *mode = console_field(databases, row, "pool_mode");
    mode = *mode != '\0' ? mode : pgbouncer_setting(config, "pool_mode");
    if (proxy_found(context, check_mode(proxy, entry, NULL, mode, error), error) != 0 ||
        proxy_found(context, check_awake(databases, row, entry, error), error) != 0) {
        return -1;
    }
    if (proxy->ends_sessions) {
        proxy_warn(report,
                   "sessions=end: the hold ends %d sessions of \"%s\", each with an error for its client",
                   count_sessions(proxy, entry), entry);
    }
    return 0;
}

/* One who was named moves alone: who else leads to the same database stays behind at the fence. */
static void warn_of_others(Proxy *proxy, ProxyReport *report)
{
    char **all;
    Error ignored;
    Proxy any = *proxy;
    any.named = false;
    if (!proxy->named || pgbouncer_entries(&any, &all, &ignored) != 0) {
        return;
    }
    for (size_t i = 1; all[i] != NULL; i++) {
        proxy_warn(
            report,
            "\"%s\" leads to the same database and does not move with \"%s\": its clients will meet the "
            "fence. Without database= it moves, too",
            all[i], proxy->entry);
    }
    ini_names_free(all);
}

/* --- the users --- */

/* A user's pool has the mode of its entry, unless the user has one of its own: that alone is new here. */
static int check_user_mode(Proxy *proxy, const PGresult *config, const char *entry, const char *line,
                           const char *user, const char *mode, Error *error)
{
    char *own = ini_line_setting(line, "pool_mode");
    bool same = strcmp(own != NULL ? own : pgbouncer_setting(config, "pool_mode"), mode) == 0;
    free(own);
    return same ? 0 : check_mode(proxy, entry, user, mode, error);
}

/* A route to be visited for each user. */
typedef struct Routes {
    Proxy *proxy;
    RouteVisit visit;
    const ProxyContext *context;
    const PGresult *config;
    ProxyReport *report;
} Routes;

static int visit_route(void *context, const EntryUser *user, Error *error)
{
    const Routes *routes = context;
    if (user->unseen) {
        return 0;
    }
    RouteUser route = {.database = user->entry,
                       .name = user->name,
                       .password = user->password,
                       .server_name = user->name,
                       .server_password = user->password};
    int status = proxy_found(routes->context,
                             check_user_mode(routes->proxy, routes->config, user->entry, user->line,
                                             user->name, user->pool_mode, error),
                             error);
    if (status != 0) {
        return -1;
    }
    return proxy_found(routes->context,
                       routes->visit(&routes->proxy->console, routes->context, &route, routes->report, error),
                       error);
}

int pgbouncer_visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, ProxyReport *report,
                          Error *error)
{
    PGresult *config = NULL;
    ConfigFiles files;
    char **entries = NULL;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    int status = console_run(&proxy->console, "SHOW CONFIG", &config, error);
    if (status == 0) {
        status = pgbouncer_entries(proxy, &entries, error);
    }
    if (status == 0) {
        Routes routes = {
            .proxy = proxy, .visit = visit, .context = context, .config = config, .report = report};
        status = pgbouncer_walk_users(proxy, config, files.flat, entries, visit_route, &routes, error);
    }
    ini_names_free(entries);
    config_files_free(&files);
    PQclear(config);
    return status;
}

int pgbouncer_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    return pgbouncer_visit_users(proxy, route_find, context, report, error);
}

/* --- the configuration --- */

static bool is_known(const void *context, const char *key)
{
    return console_row(context, "key", key) >= 0;
}

/* The edit of the switch, made for nothing: what cannot be edited must show now. */
static int check_edit(const ConfigFiles *files, char *const *entries, const Endpoint *to, Error *error)
{
    int status = 0;
    for (size_t i = 0; status == 0 && entries[i] != NULL; i++) {
        char *edited = NULL;
        status = ini_database_point(files->flat, entries[i], to, &edited, error);
        free(edited);
    }
    return status;
}

/* A file that PgBouncer would stumble over is found before it is told to read it. */
static int check_files(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                       const ConfigFiles *files, char *const *entries, Error *error)
{
    int status = ini_check(files->flat, is_known, config, error);
    if (status == 0) {
        status = check_edit(files, entries, &context->to, error);
    }
    if (status != 0) {
        return error_context(error, "%s", store_name(proxy->store));
    }
    if (pgbouncer_check_shown(proxy, files->flat, entries, error) != 0 ||
        config_files_check(proxy->store, files, error) != 0) {
        return -1;
    }
    return pgbouncer_reload(proxy, NULL, error) == 0
               ? 0
               : error_context(error, "reloading \"%s\" as it is", store_name(proxy->store));
}

static int check_entries(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                         const ConfigFiles *files, char *const *entries, ProxyReport *report, Error *error)
{
    PGresult *databases;
    if (pgbouncer_check_limits(config, files->flat, entries, context, error) != 0 ||
        console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && entries[i] != NULL; i++) {
        status = check_entry(proxy, context, config, databases, entries[i], report, error);
    }
    PQclear(databases);
    return status;
}

static void summarize(const Proxy *proxy, const PGresult *databases, char *const *entries,
                      ProxyReport *report)
{
    int row = console_row(databases, "name", proxy->entry);
    const char *host = row >= 0 ? console_field(databases, row, "host") : "*";
    size_t more = 0;
    while (entries[more + 1] != NULL) {
        more++;
    }
    snprintf(report->summary, sizeof report->summary, "PgBouncer: \"%s\"", proxy->entry);
    size_t used = strlen(report->summary);
    if (more > 0) {
        snprintf(report->summary + used, sizeof report->summary - used, " and %zu more (%.60s%s)", more,
                 entries[1], more > 1 ? ", …" : "");
        used = strlen(report->summary);
    }
    snprintf(report->summary + used, sizeof report->summary - used, " at %.60s:%s%s", host,
             console_field(databases, row, "port"), proxy->ends_sessions ? ", sessions are ended" : "");
}

/* What looks at the files, and replaces them by themselves: with the files to itself. *editable: they can be written. */
static int inspect_files(Proxy *proxy, const ProxyContext *context, const PGresult *config,
                         ConfigFiles *files, char ***entries, bool *editable, ProxyReport *report,
                         Error *error)
{
    *editable = false;
    if (pgbouncer_take_files(proxy, context->stop, error) != 0) {
        return -1;
    }
    int status = pgbouncer_read(proxy, files, error);
    if (status == 0) {
        status = pgbouncer_clean(proxy, files, error);
    }
    if (status == 0) {
        status = pgbouncer_entries(proxy, entries, error);
    }
    if (status == 0) {
        status = check_entries(proxy, context, config, files, *entries, report, error);
    }
    if (status == 0) {
        status = proxy_found(context, pgbouncer_check_processes(proxy, config, report, error), error);
    }
    if (status == 0) {
        *editable = check_files(proxy, context, config, files, *entries, error) == 0;
        status = proxy_found(context, *editable ? 0 : -1, error);
    }
    pgbouncer_give_files(proxy);
    return status;
}

static int inspect(Proxy *proxy, const ProxyContext *context, const PGresult *config, ConfigFiles *files,
                   char ***all, ProxyReport *report, Error *error)
{
    PGresult *databases = NULL;
    bool editable; /* the rehearsal writes to the file */
    int status = inspect_files(proxy, context, config, files, all, &editable, report, error);
    char *const *entries = *all;
    if (status == 0) {
        warn_of_others(proxy, report);
        Routes routes = {.proxy = proxy,
                         .visit = route_inspect_way,
                         .context = context,
                         .config = config,
                         .report = report};
        status = pgbouncer_walk_users(proxy, config, files->flat, entries, visit_route, &routes, error);
    }
    if (status == 0 && editable) {
        status = proxy_found(
            context, pgbouncer_rehearse(proxy, context, config, files->flat, entries, report, error), error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "SHOW DATABASES", &databases, error);
    }
    if (status == 0) {
        summarize(proxy, databases, entries, report);
        status = console_run(&proxy->pauser, "SHOW VERSION", NULL, error); /* connects: see adapter.c */
    }
    PQclear(databases);
    return status;
}

/* One rehearsal of a migration at a time: what stands of another in the file was left by a run that was killed. */
static int take_rehearsal(const Proxy *proxy, const ProxyContext *context, FileTurn **out, Error *error)
{
    char *file = store_turn(proxy->store), *path = NULL;
    if (asprintf(&path, "%s.%s", file, proxy->rehearsal.text) < 0) {
        abort();
    }
    const char *const paths[] = {path};
    int status = file_turn_take(paths, 1, REHEARSAL_LIMIT_MS, context->stop, out, error);
    free(path);
    free(file);
    return status == 0 ? 0 : error_context(error, "the same migration is rehearsed");
}

int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error)
{
    *report = (ProxyReport){0};
    PGresult *config;
    ConfigFiles files = {0};
    char **entries = NULL;
    FileTurn *turn = NULL;
    if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
        return -1;
    }
    int status = pgbouncer_find_store(proxy, config, error);
    if (status == 0) {
        status = take_rehearsal(proxy, context, &turn, error);
    }
    if (status == 0) {
        status = inspect(proxy, context, config, &files, &entries, report, error);
    }
    file_turn_give(turn);
    ini_names_free(entries);
    config_files_free(&files);
    PQclear(config);
    return status;
}
