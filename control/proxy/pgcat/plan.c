/*
 * A pool is known by its section [pools.NAME], its shards and users by sections below. Whatever the file says in
 * another form is not seen here; that is why the adapter compares the plan with what the console shows.
 */
#include "pgcat/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgcat/servers.h"
#include "pgcat/stage.h"
#include "toml.h"

static const char *const pools_path[] = {"pools", NULL};

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *pgcat_text(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return text != NULL ? text : "";
}

/* --- the plan --- */

static int add_server(const char *servers, json_t *plan, const char *pool, Error *error)
{
    PgcatServer server;
    if (pgcat_servers_one(servers, &server, error) != 0) {
        return -1;
    }
    if (strcmp(server.role, "primary") != 0) {
        return error_set(error, ERROR_STATE, "the role of its server is \"%s\", not primary", server.role);
    }
    if (text_of(plan, "host") == NULL) {
        json_object_set_new(plan, "host", json_string(server.host));
        json_object_set_new(plan, "port", json_string(server.port));
    }
    if (strcmp(text_of(plan, "host"), server.host) != 0 || strcmp(text_of(plan, "port"), server.port) != 0) {
        error_set(error, ERROR_STATE, "it leads to %s:%s, and another of this database to %s:%s", server.host,
                  server.port, text_of(plan, "host"), text_of(plan, "port"));
        return error_hint(error, "Name the pool that is meant: --proxy 'pgcat:…,database=%s'.", pool);
    }
    return 0;
}

static int add_place(const char *text, const char *pool, const char *shard, json_t *plan, Error *error)
{
    const char *const path[] = {"pools", pool, "shards", shard, NULL};
    char *servers = toml_raw(text, path, "servers");
    char *database = toml_raw(text, path, "database");
    char *mirrors = toml_raw(text, path, "mirrors");
    int status = 0;
    if (servers == NULL || !toml_has_table(text, (const char *const[]){"pools", pool, NULL})) {
        error_set(error, ERROR_STATE, "it cannot be edited");
        status = error_hint(error, "Give it a header [pools.%s], and `servers` in [pools.%s.shards.%s].",
                            pool, pool, shard);
    } else if (mirrors != NULL) {
        error_set(error, ERROR_STATE, "it has mirrors");
        status = error_hint(error, "They repeat writes: take them out before the switch.");
    } else {
        status = add_server(servers, plan, pool, error);
    }
    if (status == 0) {
        json_array_append_new(json_object_get(plan, "places"),
                              json_pack("{s:s, s:s, s:s, s:s}", "pool", pool, "shard", shard, "servers",
                                        servers, "database", database));
    } else {
        error_context(error, "shard %s of pool \"%s\"", shard, pool);
    }
    free(servers);
    free(database);
    free(mirrors);
    return status;
}

/* Adds the shards of pool that are of database. */
static int add_pool(const char *text, const char *pool, const char *database, json_t *plan, Error *error)
{
    const char *const shards[] = {"pools", pool, "shards", NULL};
    size_t before = json_array_size(json_object_get(plan, "places"));
    int status = 0;
    char *shard;
    for (size_t i = 0; status == 0 && (shard = toml_child(text, shards, i)) != NULL; i++) {
        char *of = toml_text(text, (const char *const[]){"pools", pool, "shards", shard, NULL}, "database");
        if (of != NULL && strcmp(of, database) == 0) {
            status = add_place(text, pool, shard, plan, error);
        }
        free(of);
        free(shard);
    }
    if (status == 0 && json_array_size(json_object_get(plan, "places")) > before) {
        char *timeout = toml_raw(text, (const char *const[]){"pools", pool, NULL}, "connect_timeout");
        json_array_append_new(json_object_get(plan, "pools"),
                              json_pack("{s:s, s:s?}", "pool", pool, "connect_timeout", timeout));
        free(timeout);
    }
    return status;
}

int pgcat_plan(const char *text, const char *database, const char *only, json_t **plan, Error *error)
{
    *plan = NULL;
    if (toml_check(text, error) != 0) {
        return -1;
    }
    json_t *made = json_pack("{s:[], s:[]}", "pools", "places");
    int status = 0;
    char *pool;
    for (size_t i = 0; status == 0 && (pool = toml_child(text, pools_path, i)) != NULL; i++) {
        if (!pgcat_is_stage(pool) && (only == NULL || strcmp(only, pool) == 0)) {
            status = add_pool(text, pool, database, made, error);
        }
        free(pool);
    }
    if (status == 0 && json_array_size(json_object_get(made, "places")) == 0) {
        error_set(error, ERROR_STATE, "no pool%s%s has a shard of database \"%s\"", only != NULL ? " " : "",
                  only != NULL ? only : "", database);
        status =
            error_hint(error, "Sections are wanted: [pools.NAME] and [pools.NAME.shards.0] with `database`.");
    }
    if (status != 0) {
        json_decref(made);
        return -1;
    }
    *plan = made;
    return 0;
}

/* --- editing --- */

static int edit_timeouts(char **text, const json_t *plan, const char *timeout, Error *error)
{
    size_t i;
    json_t *one;
    json_array_foreach(json_object_get(plan, "pools"), i, one)
    {
        const char *const table[] = {"pools", text_of(one, "pool"), NULL};
        const char *raw = timeout != NULL ? timeout : text_of(one, "connect_timeout");
        if (toml_set(text, table, "connect_timeout", raw, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* where NULL: to where it led. */
static int edit_place(char **text, const json_t *place, const Endpoint *where, Error *error)
{
    const char *const table[] = {"pools", text_of(place, "pool"), "shards", text_of(place, "shard"), NULL};
    if (where == NULL) {
        return toml_set(text, table, "servers", text_of(place, "servers"), error) != 0
                   ? -1
                   : toml_set(text, table, "database", text_of(place, "database"), error);
    }
    PgcatServer server;
    char *servers;
    if (pgcat_servers_one(text_of(place, "servers"), &server, error) != 0) {
        return -1;
    }
    snprintf(server.host, sizeof server.host, "%s", where->host);
    snprintf(server.port, sizeof server.port, "%s", where->port);
    if (pgcat_servers_write(text_of(place, "servers"), &server, 1, &servers, error) != 0) {
        return -1;
    }
    int status = toml_set(text, table, "servers", servers, error);
    free(servers);
    if (status == 0) {
        char *database = where->database[0] != '\0' ? toml_quote(where->database) : NULL;
        status = toml_set(text, table, "database", database != NULL ? database : text_of(place, "database"),
                          error);
        free(database);
    }
    return status;
}

static int point(const char *text, const json_t *plan, const Endpoint *where, const char *timeout, char **out,
                 Error *error)
{
    char *edited = strdup(text);
    int status = edit_timeouts(&edited, plan, timeout, error);
    size_t i;
    json_t *place;
    json_array_foreach(json_object_get(plan, "places"), i, place)
    {
        status = status == 0 ? edit_place(&edited, place, where, error) : status;
    }
    if (status != 0) {
        free(edited);
        edited = NULL;
    }
    *out = edited;
    return status;
}

int pgcat_point(const char *text, const json_t *plan, const Endpoint *where, int timeout_ms, char **out,
                Error *error)
{
    char timeout[16];
    snprintf(timeout, sizeof timeout, "%d", timeout_ms);
    return point(text, plan, where, timeout_ms > 0 ? timeout : NULL, out, error);
}

int pgcat_point_back(const char *text, const json_t *plan, char **out, Error *error)
{
    return point(text, plan, NULL, NULL, out, error);
}

/* --- users --- */

bool pgcat_user(const char *text, const char *pool, size_t number, PgcatUser *out)
{
    char *user = toml_child(text, (const char *const[]){"pools", pool, "users", NULL}, number);
    if (user == NULL) {
        return false;
    }
    const char *const table[] = {"pools", pool, "users", user, NULL};
    *out = (PgcatUser){.name = toml_text(text, table, "username"),
                       .password = toml_text(text, table, "password"),
                       .server_name = toml_text(text, table, "server_username"),
                       .server_password = toml_text(text, table, "server_password")};
    out->name = out->name != NULL ? out->name : strdup("");
    if (out->server_name == NULL) {
        out->server_name = strdup(out->name);
    }
    if (out->server_password == NULL && out->password != NULL) {
        out->server_password = strdup(out->password);
    }
    free(user);
    return true;
}

void pgcat_user_free(PgcatUser *user)
{
    free(user->name);
    free(user->password);
    free(user->server_name);
    free(user->server_password);
}
