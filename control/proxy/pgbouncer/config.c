/*
 * The text comes from ini.h, the files from config_files.h; here they are found, replaced and made to count. What RELOAD
 * replies is not believed, SHOW DATABASES is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/walk.h"
#include "place.h"

#define VERIFY_LIMIT_MS 2000

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
    return config_files_write(proxy->store, files, keep, error) == 0 ? take(proxy, files, entries, error)
                                                                     : -1;
}

/* On the way back: a file that somebody has spoilt meanwhile may be refused, and clients must be let go all the same if the
 * entries lead where they should. Not asked of one that has just not answered. A PgBouncer that has
 * ended reads the file when it is started again. */
static int apply_back(Proxy *proxy, ConfigFiles *files, char *const *entries, Error *error)
{
    Error refused;
    bool written = config_files_write(proxy->store, files, false, &refused) == 0;
    if ((written && take(proxy, files, entries, &refused) == 0) ||
        (!proxy->console.silent && pgbouncer_check_shown(proxy, files->flat, entries, error) == 0) ||
        (written && place_is_deserted(proxy->uri))) {
        return 0;
    }
    *error = refused;
    return -1;
}

int pgbouncer_apply(Proxy *proxy, ConfigFiles *files, bool keep, Error *error)
{
    char *const own[] = {proxy->entry, NULL};
    return apply(proxy, files, own, keep, error);
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

static int point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    ConfigFiles files;
    char **entries = NULL;
    if (pgbouncer_read(proxy, &files, error) != 0) {
        return -1;
    }
    int status = pgbouncer_entries(proxy, &entries, error);
    /* With lines of ours in it, it is not what is to be kept: prepare_look has kept what was there before. */
    files.files[0].kept = strstr(files.files[0].text, REHEARSAL) != NULL;
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

static bool may_share(const Proxy *proxy, const ProxyContext *context)
{
    return context->turns != NULL && (proxy->store == NULL || store_path(proxy->store) != NULL);
}

/* Files that cannot be read are nobody's to change; the one that includes them is known all the same. */
static void list_files(Proxy *proxy)
{
    ConfigFiles files;
    Error ignored;
    bool known = pgbouncer_read(proxy, &files, &ignored) == 0;
    const char *main_file = proxy->store != NULL ? store_path(proxy->store) : NULL;
    proxy->turn_count = 0;
    if (main_file != NULL) {
        proxy->turn[proxy->turn_count++] = strdup(main_file);
    }
    for (size_t i = 0; known && main_file != NULL && i < files.count; i++) {
        if (files.files[i].path != NULL && proxy->turn_count < CONFIG_FILES) {
            proxy->turn[proxy->turn_count++] = strdup(files.files[i].path);
        }
    }
    if (known) {
        config_files_free(&files);
    }
}

void pgbouncer_take_files(Proxy *proxy, const ProxyContext *context)
{
    if (may_share(proxy, context)) {
        list_files(proxy);
        file_turns_take(context->turns, (const char *const *)proxy->turn, proxy->turn_count);
    }
}

void pgbouncer_give_files(Proxy *proxy, const ProxyContext *context)
{
    if (context->turns == NULL) {
        return;
    }
    file_turns_give(context->turns, (const char *const *)proxy->turn, proxy->turn_count);
    while (proxy->turn_count > 0) {
        free(proxy->turn[--proxy->turn_count]);
    }
}

int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    pgbouncer_take_files(proxy, context);
    int status = point_at(proxy, context, error);
    pgbouncer_give_files(proxy, context);
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

static int restore(Proxy *proxy, const json_t *remembered, Error *error)
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

int pgbouncer_restore(Proxy *proxy, const ProxyContext *context, const json_t *remembered, Error *error)
{
    pgbouncer_take_files(proxy, context);
    int status = restore(proxy, remembered, error);
    pgbouncer_give_files(proxy, context);
    return status;
}
