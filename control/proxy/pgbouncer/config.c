/*
 * The file's text comes from ini.h; here it is found, replaced and made to count. What RELOAD replies is not believed,
 * SHOW DATABASES is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "file.h"
#include "pgbouncer/pgbouncer.h"

#define VERIFY_LIMIT_MS 2000

int pgbouncer_show_entry(Proxy *proxy, PGresult **out, int *row, Error *error)
{
    if (console_run(&proxy->console, "SHOW DATABASES", out, error) != 0) {
        return -1;
    }
    *row = console_row(*out, "name", proxy->entry);
    return 0;
}

int pgbouncer_find_config(Proxy *proxy, const PGresult *config, Error *error)
{
    const char *shown = console_field(config, console_row(config, "key", "conffile"), "value");
    if (proxy->config == NULL && *shown == '/') {
        proxy->config = strdup(shown);
    }
    if (proxy->config == NULL) {
        error_set(error, ERROR_USAGE,
                  "where PgBouncer's configuration file is, is not known (it says \"%s\")", shown);
        return error_hint(error, "Name it: --proxy 'pgbouncer:…,config=/path/pgbouncer.ini'.");
    }
    return 0;
}

int pgbouncer_read_config(Proxy *proxy, char **text, Error *error)
{
    if (proxy->config == NULL) {
        PGresult *config;
        if (console_run(&proxy->console, "SHOW CONFIG", &config, error) != 0) {
            return -1;
        }
        int status = pgbouncer_find_config(proxy, config, error);
        PQclear(config);
        if (status != 0) {
            return status;
        }
    }
    return file_read(proxy->config, text, error);
}

int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error)
{
    char *text = NULL, *line = NULL;
    bool fallback;
    if (pgbouncer_read_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_line(text, proxy->entry, &line, &fallback, error);
    if (status == 0) {
        IniPlace place;
        ini_line_place(line, &place);
        *out = json_pack("{s:s, s:s, s:s?, s:s?, s:s?}", "config", proxy->config, "entry", proxy->entry,
                         "host", place.host, "port", place.port, "dbname", place.dbname);
        ini_place_free(&place);
    }
    free(line);
    free(text);
    return status;
}

/* Waits until SHOW DATABASES says what the file says. */
static int verify_shown(Proxy *proxy, const char *host, const char *port, Error *error)
{
    char shown[320] = "";
    for (int waited = 0; waited <= VERIFY_LIMIT_MS; waited += 20) {
        PGresult *databases;
        int row;
        if (pgbouncer_show_entry(proxy, &databases, &row, error) != 0) {
            return -1;
        }
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
              proxy->entry, shown, host, port);
    return error_hint(error, "Its log says what it did not like in \"%s\"; is it the file that it reads?",
                      proxy->config);
}

int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error)
{
    char *text = NULL, *edited = NULL;
    if (pgbouncer_read_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_point(text, proxy->entry, &context->to, &edited, error);
    if (status == 0) {
        status = file_replace(proxy->config, edited, error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "RELOAD", NULL, error);
    }
    if (status == 0) {
        status = verify_shown(proxy, context->to.host, context->to.port, error);
    }
    free(edited);
    free(text);
    return status;
}

/* What PgBouncer shows for a line: its own defaults where nothing is set. */
static int verify_line(Proxy *proxy, const char *text, Error *error)
{
    char *line = NULL;
    bool fallback;
    if (ini_database_line(text, proxy->entry, &line, &fallback, error) != 0) {
        return -1;
    }
    char *host = ini_line_setting(line, "host");
    char *port = ini_line_setting(line, "port");
    int status =
        fallback ? 0 : verify_shown(proxy, host != NULL ? host : "", port != NULL ? port : "5432", error);
    free(host);
    free(port);
    free(line);
    return status;
}

int pgbouncer_apply(Proxy *proxy, const char *text, Error *error)
{
    int status = file_replace_again(proxy->config, text, error);
    if (status == 0) {
        status = console_run(&proxy->console, "RELOAD", NULL, error);
    }
    return status == 0 ? verify_line(proxy, text, error) : status;
}

int pgbouncer_restore(Proxy *proxy, const json_t *remembered, Error *error)
{
    IniPlace place = {.host = (char *)json_string_value(json_object_get(remembered, "host")),
                      .port = (char *)json_string_value(json_object_get(remembered, "port")),
                      .dbname = (char *)json_string_value(json_object_get(remembered, "dbname"))};
    char *text = NULL, *edited = NULL;
    if (pgbouncer_read_config(proxy, &text, error) != 0) {
        return -1;
    }
    int status = ini_database_restore(text, proxy->entry, &place, &edited, error);
    if (status == 0) {
        status = pgbouncer_apply(proxy, edited, error);
    }
    free(edited);
    free(text);
    return status;
}
