/*
 * The look at the other side while clients are held: through entries of our own, as a rehearsal's (rehearse.c), which are no
 * client's and so are not paused. They are put into the file before clients are held, since a RELOAD takes its time; what is
 * done in the hold is one login for each entry.
 */
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "file.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/stage.h"
#include "route.h"

/* One way for each entry: the first player that gets in where clients are now. */
static json_t *list_ways(const Rehearsal *all)
{
    json_t *ways = json_array();
    const char *done = "";
    for (size_t i = 0; i < all->count; i++) {
        const Player *player = &all->players[i];
        char name[64];
        Way way;
        if (strcmp(player->entry, done) == 0 || !rehearsal_way(all, i, &way)) {
            continue;
        }
        stage_name(all->key, i, way.as, "next", name);
        json_array_append_new(ways, json_pack("{s:s, s:s, s:s, s:b}", "entry", player->entry, "user",
                                              player->user, "name", name, "plain", *way.as != '\0'));
        done = player->entry;
    }
    return ways;
}

int pgbouncer_prepare_look(Proxy *proxy, const ProxyContext *context, json_t **ways, Error *error)
{
    Rehearsal all = {.proxy = proxy, .context = context, .key = &proxy->lookout};
    PGresult *config = NULL;
    ConfigFiles files;
    char **entries = NULL;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    int status = console_run(&proxy->console, "SHOW CONFIG", &config, error);
    all.config = config;
    if (status == 0) {
        status = pgbouncer_entries(proxy, &entries, error);
    }
    if (status == 0) {
        status = rehearsal_cast(&all, files.flat, entries, error);
    }
    if (status == 0 && all.count > 0) {
        status = stage_build(&all, true, error);
    }
    if (status == 0) {
        *ways = list_ways(&all);
    }
    rehearsal_dismiss(&all);
    ini_names_free(entries);
    config_files_free(&files);
    PQclear(config);
    return status;
}

/* NULL when nobody knows it any more. */
static int find_password(Proxy *proxy, const char *user, char **out, Error *error)
{
    PGresult *config;
    char *auth_file = NULL;
    if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
        return -1;
    }
    int status = file_read(pgbouncer_setting(config, "auth_file"), &auth_file, error);
    *out = status == 0 ? credentials_password(auth_file, user) : NULL;
    free(auth_file);
    PQclear(config);
    return status;
}

int pgbouncer_look(Proxy *proxy, const json_t *way, int limit_ms, ProbeAnswer *answer, Error *error)
{
    const char *user = json_string_value(json_object_get(way, "user"));
    const char *name = json_string_value(json_object_get(way, "name"));
    bool plain = json_is_true(json_object_get(way, "plain"));
    char *password = NULL;
    /* Connects the console, if it must, whose own words for host and TLS are ours. */
    if (console_run(&proxy->console, "SHOW VERSION", NULL, error) != 0 ||
        (plain && find_password(proxy, user, &password, error) != 0)) {
        return -1;
    }
    const PGconn *console = database_connection(proxy->console.database);
    RouteUser route = {.database = name,
                       .name = plain ? user : PQuser(console),
                       .password = plain ? password : PQpass(console)};
    char *uri = route_uri(&proxy->console, &route);
    int status = probe(uri, true, limit_ms, answer, error);
    free(uri);
    free(password);
    return status == 0 ? 0
                       : error_context(error, "as \"%s\" of \"%s\"", user,
                                       json_string_value(json_object_get(way, "entry")));
}

int pgbouncer_end_look(Proxy *proxy, Error *error)
{
    char *text = NULL;
    if (proxy->store == NULL) {
        ConfigFiles files; /* finds the file */
        if (pgbouncer_read(proxy, &files, error) != 0) {
            return -1;
        }
        config_files_free(&files);
    }
    if (store_read(proxy->store, NULL, &text, error) != 0) {
        return -1;
    }
    bool stands = stage_stands(text, &proxy->lookout);
    free(text);
    return stands ? stage_strike(proxy, &proxy->lookout, error) : 0;
}
