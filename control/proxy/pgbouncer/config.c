/*
 * The text comes from ini.h, the files from config_files.h; here they are found, replaced and made to count. What RELOAD
 * replies is not believed, SHOW DATABASES is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/stage.h"
#include "pgbouncer/walk.h"
#include "place.h"

#define VERIFY_LIMIT_MS 2000
#define TRIES 5 /* of an edit, where somebody else changes the same file */

const char *pgbouncer_setting(const PGresult *config, const char *key)
{
    return console_field(config, console_row(config, "key", key), "value");
}

int pgbouncer_show_entry(Proxy *proxy, PGresult **out, int *row, Error *error)
{
    if (console_run(&proxy->console, "SHOW DATABASES", out, error) != 0) {
        return -1;
    }
    *row = console_row(*out, "name", proxy->entry);
    return 0;
}

int pgbouncer_find_store(Proxy *proxy, const PGresult *config, Error *error)
{
    const char *shown = pgbouncer_setting(config, "conffile");
    if (proxy->store != NULL) {
        return 0;
    }
    if (*shown == '/') {
        return store_open(shown, &proxy->store, error);
    }
    error_set(error, ERROR_USAGE, "where PgBouncer's configuration file is, is not known (it says \"%s\")",
              shown);
    return error_hint(error, "Name it: --proxy 'pgbouncer:…,config=/path/pgbouncer.ini'.");
}

int pgbouncer_read(Proxy *proxy, ConfigFiles *files, Error *error)
{
    PGresult *config = NULL;
    if (proxy->store == NULL) {
        if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
            return -1;
        }
        int status = pgbouncer_find_store(proxy, config, error);
        PQclear(config);
        if (status != 0) {
            return status;
        }
    }
    return config_files_read(proxy->store, files, error);
}

static bool leads_alike(const PGresult *databases, int one, int other)
{
    return one >= 0 && other >= 0 &&
           place_same_host(console_field(databases, one, "host"), console_field(databases, other, "host")) &&
           strcmp(console_field(databases, one, "port"), console_field(databases, other, "port")) == 0 &&
           strcmp(console_field(databases, one, "database"), console_field(databases, other, "database")) ==
               0;
}

int pgbouncer_entries(Proxy *proxy, char ***out, Error *error)
{
    PGresult *databases;
    int own;
    if (pgbouncer_show_entry(proxy, &databases, &own, error) != 0) {
        return -1;
    }
    char **all = calloc((size_t)PQntuples(databases) + 2, sizeof *all);
    size_t count = 1;
    all[0] = strdup(proxy->entry);
    for (int row = 0; !proxy->named && row < PQntuples(databases); row++) {
        const char *name = console_field(databases, row, "name");
        if (row != own && strncmp(name, REHEARSAL, strlen(REHEARSAL)) != 0 &&
            leads_alike(databases, own, row)) {
            all[count++] = strdup(name);
        }
    }
    PQclear(databases);
    *out = all;
    return 0;
}

/* Into an array of JSON. */
static int remember_one(void *context, const Entry *entry, Error *error)
{
    IniPlace place;
    (void)error;
    ini_line_place(entry->line, &place);
    json_array_append_new(context, json_pack("{s:s, s:s?, s:s?, s:s?}", "entry", entry->name, "host",
                                             place.host, "port", place.port, "dbname", place.dbname));
    ini_place_free(&place);
    return 0;
}

int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error)
{
    ConfigFiles files;
    char **entries = NULL;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    int status = pgbouncer_entries(proxy, &entries, error);
    json_t *all = json_array();
    if (status == 0) {
        status = pgbouncer_walk_entries(files.flat, entries, remember_one, all, error);
    }
    if (status == 0) {
        *out = json_pack("{s:s, s:O}", "config", store_name(proxy->store), "entries", all);
    }
    json_decref(all);
    ini_names_free(entries);
    config_files_free(&files);
    return status;
}

/* Where a line leads, with PgBouncer's own defaults where nothing is set. */
static void line_place(const char *line, char host[256], char port[16])
{
    char *set_host = ini_line_setting(line, "host"), *set_port = ini_line_setting(line, "port");
    snprintf(host, 256, "%s", set_host != NULL ? set_host : "");
    snprintf(port, 16, "%s", set_port != NULL ? set_port : "5432");
    free(set_host);
    free(set_port);
}

/* Waits until SHOW DATABASES says of the entry what the line says. */
static int verify_entry(void *context, const Entry *entry, Error *error)
{
    Proxy *proxy = context;
    char host[256], port[16], shown[320] = "";
    if (entry->fallback) {
        return 0;
    }
    line_place(entry->line, host, port);
    for (int waited = 0; waited <= VERIFY_LIMIT_MS; waited += 20) {
        PGresult *databases;
        if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
            return -1;
        }
        int row = console_row(databases, "name", entry->name);
        bool same = strcmp(console_field(databases, row, "host"), host) == 0 &&
                    strcmp(console_field(databases, row, "port"), port) == 0;
        snprintf(shown, sizeof shown, "%s:%s", console_field(databases, row, "host"),
                 console_field(databases, row, "port"));
        PQclear(databases);
        if (same) {
            return 0;
        }
        clock_pause_ms(20);
    }
    error_set(error, ERROR_PROXY, "PgBouncer still leads \"%s\" to %s after RELOAD, not to %s:%s",
              entry->name, shown, host, port);
    return error_hint(error, "Its log says what it did not like in \"%s\"; is it the file that it reads?",
                      store_name(proxy->store));
}

/* What PgBouncer does must be what its file says, or the RELOAD of the switch changes more than the switch. */
typedef struct Shown {
    Proxy *proxy;
    PGresult *databases;
} Shown;

static int check_shown_one(void *context, const Entry *entry, Error *error)
{
    const Shown *all = context;
    const PGresult *databases = all->databases;
    char host[256], port[16];
    int row = console_row(databases, "name", entry->name);
    const char *shown_host = console_field(databases, row, "host");
    const char *shown_port = console_field(databases, row, "port");
    line_place(entry->line, host, port);
    if (row < 0 || (strcmp(host, shown_host) == 0 && strcmp(port, shown_port) == 0)) {
        return 0;
    }
    error_set(error, ERROR_STATE, "\"%s\" leads to %s:%s in PgBouncer, and to %s:%s in its file", entry->name,
              shown_host, shown_port, host, port);
    return error_hint(error, "RELOAD it first; is \"%.200s\" the file that it reads?",
                      store_name(all->proxy->store));
}

int pgbouncer_check_shown(Proxy *proxy, const char *text, char *const *entries, Error *error)
{
    Shown all = {.proxy = proxy};
    if (console_run(&proxy->console, "SHOW DATABASES", &all.databases, error) != 0) {
        return -1;
    }
    int status = pgbouncer_walk_entries(text, entries, check_shown_one, &all, error);
    PQclear(all.databases);
    return status;
}

/* The files as they are now, with those entries moved. */
static int take(Proxy *proxy, const ConfigFiles *files, char *const *entries, Error *error)
{
    return pgbouncer_reload(proxy, entries, error) == 0
               ? pgbouncer_walk_entries(files->flat, entries, verify_entry, proxy, error)
               : -1;
}

static int apply(Proxy *proxy, ConfigFiles *files, char *const *entries, bool keep, Error *error)
{
    int status = config_files_write(proxy->store, files, keep, error);
    return status == 0 ? take(proxy, files, entries, error) : status;
}

/* On the way back: a file that somebody has spoilt meanwhile may be refused, and clients must be let go all the same if the
 * entries lead where they should. Not asked of one that has just not answered. A PgBouncer that has
 * ended reads the file when it is started again. */
static int apply_back(Proxy *proxy, ConfigFiles *files, char *const *entries, Error *error)
{
    Error refused;
    int status = config_files_write(proxy->store, files, false, &refused);
    bool written = status == 0;
    if ((written && take(proxy, files, entries, &refused) == 0) ||
        (!proxy->console.silent && pgbouncer_check_shown(proxy, files->flat, entries, error) == 0) ||
        (written && place_is_deserted(proxy->uri))) {
        return 0;
    }
    *error = refused;
    return written ? -1 : status;
}

int pgbouncer_apply(Proxy *proxy, ConfigFiles *files, bool keep, Error *error)
{
    char *const own[] = {proxy->entry, NULL};
    return apply(proxy, files, own, keep, error) == 0 ? 0 : -1;
}

/* The operator's own entry is edited last: as long as it leads to the old place, the others are found by that. */
static int point_all(ConfigFiles *files, char *const *entries, const Endpoint *where, Error *error)
{
    size_t count = 0;
    while (entries[count] != NULL) {
        count++;
    }
    int status = 0;
    while (status == 0 && count-- > 0) {
        char *edited = NULL;
        status = ini_database_point(files->flat, entries[count], where, &edited, error);
        if (status == 0) {
            status = config_files_edit(files, edited, error);
        }
        free(edited);
    }
    return status;
}

/* STORE_CHANGED: from the beginning. */
static int point_once(Proxy *proxy, const ProxyContext *context, Error *error)
{
    ConfigFiles files;
    char **entries = NULL;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    int status = pgbouncer_entries(proxy, &entries, error);
    /* With lines of ours in it, it is not what is to be kept: prepare_look has kept what was there before. */
    files.files[0].kept = stage_stands(files.files[0].text, &proxy->lookout);
    if (status == 0) {
        status = point_all(&files, entries, &context->to, error);
    }
    if (status == 0) {
        status = apply(proxy, &files, entries, true, error);
    }
    ini_names_free(entries);
    config_files_free(&files);
    return status;
}

static int point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    int status = STORE_CHANGED;
    for (int i = 0; i < TRIES && status == STORE_CHANGED; i++) {
        status = point_once(proxy, context, error);
    }
    return status == 0 ? 0 : -1;
}

/*
 * The file, and what it includes, each by its name in file_turns.h. Returns how many. What cannot be read is nobody's to change, but
 * the one that includes it is known all the same. Those that are not here are not read for it, which may take long while clients
 * wait: the first stands for all of them.
 */
static size_t list_files(Proxy *proxy, char *paths[CONFIG_FILES])
{
    ConfigFiles files = {0};
    Error ignored;
    size_t count = 0;
    bool far = proxy->store != NULL && store_path(proxy->store) == NULL;
    bool known = !far && pgbouncer_read(proxy, &files, &ignored) == 0;
    if (proxy->store != NULL) {
        paths[count++] = store_turn(proxy->store);
    }
    for (size_t i = 1; known && i < files.count; i++) {
        paths[count++] = strdup(files.files[i].path);
    }
    if (known) {
        config_files_free(&files);
    }
    return count;
}

int pgbouncer_take_files(Proxy *proxy, bool (*stop)(void), Error *error)
{
    char *paths[CONFIG_FILES];
    size_t count = list_files(proxy, paths);
    int status = file_turn_take((const char *const *)paths, count, answer_limit_ms(&proxy->console.limit, -1),
                                stop, &proxy->turn, error);
    while (count > 0) {
        free(paths[--count]);
    }
    return status;
}

void pgbouncer_give_files(Proxy *proxy)
{
    file_turn_give(proxy->turn);
    proxy->turn = NULL;
}

int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    if (pgbouncer_take_files(proxy, context->stop, error) != 0) {
        return -1;
    }
    int status = point_at(proxy, context, error);
    pgbouncer_give_files(proxy);
    return status;
}

static int restore_one(ConfigFiles *files, const json_t *one, Error *error)
{
    IniPlace place = {.host = (char *)json_string_value(json_object_get(one, "host")),
                      .port = (char *)json_string_value(json_object_get(one, "port")),
                      .dbname = (char *)json_string_value(json_object_get(one, "dbname"))};
    char *edited = NULL;
    int status = ini_database_restore(files->flat, json_string_value(json_object_get(one, "entry")), &place,
                                      &edited, error);
    if (status == 0) {
        status = config_files_edit(files, edited, error);
    }
    free(edited);
    return status;
}

/* STORE_CHANGED: from the beginning. */
static int restore_once(Proxy *proxy, const json_t *remembered, Error *error)
{
    const json_t *all = json_object_get(remembered, "entries");
    size_t count = json_array_size(all);
    ConfigFiles files;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    char **entries = calloc(count + 1, sizeof *entries);
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++) {
        const json_t *one = json_array_get(all, i);
        entries[i] = (char *)json_string_value(json_object_get(one, "entry"));
        status = restore_one(&files, one, error);
    }
    if (status == 0) {
        status = apply_back(proxy, &files, entries, error);
    }
    free(entries);
    config_files_free(&files);
    return status;
}

/* Clients wait: one who has the files and stands still does not keep us. What he would write then is not what he has read. */
int pgbouncer_restore(Proxy *proxy, const ProxyContext *context, const json_t *remembered, Error *error)
{
    Error ignored;
    int status = STORE_CHANGED;
    (void)context;
    (void)!pgbouncer_take_files(proxy, NULL, &ignored);
    for (int i = 0; i < TRIES && status == STORE_CHANGED; i++) {
        status = restore_once(proxy, remembered, error);
    }
    pgbouncer_give_files(proxy);
    return status == 0 ? 0 : -1;
}
