#include "still.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_files.h"
#include "file.h"
#include "pgcat/plan.h"
#include "pgcat/servers.h"
#include "store.h"
#include "toml.h"

static Still compare(const char *name, const char *host, const char *port, const Endpoint *to, char *where,
                     size_t size)
{
    if (strcmp(host, to->host) == 0 && strcmp(port, to->port) == 0) {
        return STILL_SAME;
    }
    snprintf(where, size, "\"%s\" leads to %s:%s, not to %s:%s", name, host, port, to->host, to->port);
    return STILL_OTHER;
}

static Still unknown(const Error *error, char *where, size_t size)
{
    snprintf(where, size, "%s", error->message);
    return STILL_UNKNOWN;
}

/* An entry of PgBouncer's file. */
static Still look_at_entry(const char *text, const char *entry, const Endpoint *to, char *where, size_t size)
{
    char *line = NULL;
    bool fallback;
    Error error;
    if (ini_database_line(text, entry, &line, &fallback, &error) != 0) {
        return unknown(&error, where, size);
    }
    char *host = ini_line_setting(line, "host"), *port = ini_line_setting(line, "port");
    Still still = compare(entry, host != NULL ? host : "", port != NULL ? port : "5432", to, where, size);
    free(host);
    free(port);
    free(line);
    return still;
}

static Still look_at_entries(const char *path, const json_t *entries, const Endpoint *to, char *where,
                             size_t size)
{
    Store *store = NULL;
    ConfigFiles files;
    Error error;
    const json_t *one;
    size_t i;
    if (store_open(path, &store, &error) != 0) {
        return unknown(&error, where, size);
    }
    if (store_path(store) == NULL) {
        store_close(store);
        snprintf(where, size, "\"%s\" is not a file here", path);
        return STILL_UNKNOWN;
    }
    if (config_files_read(store, &files, &error) != 0) {
        store_close(store);
        return unknown(&error, where, size);
    }
    Still still = STILL_SAME;
    json_array_foreach(entries, i, one)
    {
        const char *entry = json_string_value(json_object_get(one, "entry"));
        if (still == STILL_SAME && entry != NULL) {
            still = look_at_entry(files.flat, entry, to, where, size);
        }
    }
    config_files_free(&files);
    store_close(store);
    return still;
}

/* A shard of pgcat's file. */
static Still look_at_place(const char *text, const json_t *place, const Endpoint *to, char *where,
                           size_t size)
{
    const char *pool = pgcat_text(place, "pool");
    PgcatServer server;
    Error error;
    char *servers = toml_raw(
        text, (const char *const[]){"pools", pool, "shards", pgcat_text(place, "shard"), NULL}, "servers");
    if (servers == NULL) {
        snprintf(where, size, "pool \"%s\" is gone", pool);
        return STILL_OTHER;
    }
    Still still = pgcat_servers_one(servers, &server, &error) == 0
                      ? compare(pool, server.host, server.port, to, where, size)
                      : unknown(&error, where, size);
    free(servers);
    return still;
}

static Still look_at_places(const char *path, const json_t *places, const Endpoint *to, char *where,
                            size_t size)
{
    char *text;
    Error error;
    const json_t *place;
    size_t i;
    if (file_read(path, &text, &error) != 0) {
        return unknown(&error, where, size);
    }
    Still still = STILL_SAME;
    json_array_foreach(places, i, place)
    {
        still = still == STILL_SAME ? look_at_place(text, place, to, where, size) : still;
    }
    free(text);
    return still;
}

Still still_leads(const json_t *remembered, const Endpoint *to, char *where, size_t size)
{
    const char *path = json_string_value(json_object_get(remembered, "config"));
    const json_t *entries = json_object_get(remembered, "entries"),
                 *places = json_object_get(remembered, "places");
    *where = '\0';
    if (path == NULL || (entries == NULL && places == NULL)) {
        snprintf(where, size, "the journal names no file");
        return STILL_UNKNOWN;
    }
    return entries != NULL ? look_at_entries(path, entries, to, where, size)
                           : look_at_places(path, places, to, where, size);
}
