/*
 * default_role is always written as "primary": pgcat's own default is "any", which spreads whatever it does not
 * understand over all servers, writes too.
 */
#include "pgcat/wish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "number.h"
#include "pgcat/servers.h"
#include "toml.h"

#define PARSER "query_parser_enabled"
#define SPLITTING "query_parser_read_write_splitting"

/* --- the place --- */

static bool serves(const char *text, const char *pool, const char *database)
{
    const char *const shards[] = {"pools", pool, "shards", NULL};
    bool found = false;
    char *shard;
    for (size_t i = 0; !found && (shard = toml_child(text, shards, i)) != NULL; i++) {
        char *of = toml_text(text, (const char *const[]){"pools", pool, "shards", shard, NULL}, "database");
        found = of != NULL && strcmp(of, database) == 0;
        free(of);
        free(shard);
    }
    return found;
}

static int find_shard(const char *text, PgcatPlace *place, Error *error)
{
    const char *const shards[] = {"pools", place->pool, "shards", NULL};
    char *first = toml_child(text, shards, 0), *second = toml_child(text, shards, 1);
    int status = 0;
    if (first == NULL || second != NULL ||
        !toml_has_table(text, (const char *const[]){"pools", place->pool, NULL})) {
        error_set(error, ERROR_STATE, "pool \"%s\" cannot be edited", place->pool);
        status =
            error_hint(error, "It wants sections [pools.%s] and [pools.%s.shards.0], and no other shard.",
                       place->pool, place->pool);
    } else {
        snprintf(place->shard, sizeof place->shard, "%s", first);
    }
    free(first);
    free(second);
    return status;
}

int pgcat_find_place(const char *text, const char *database, const char *only, PgcatPlace *out, Error *error)
{
    static const char *const pools[] = {"pools", NULL};
    size_t found = 0;
    char *pool;
    *out = (PgcatPlace){0};
    if (toml_check(text, error) != 0) {
        return -1;
    }
    for (size_t i = 0; (pool = toml_child(text, pools, i)) != NULL; i++) {
        if (only != NULL ? strcmp(only, pool) == 0 : serves(text, pool, database)) {
            snprintf(out->pool, sizeof out->pool, "%s", pool);
            found++;
        }
        free(pool);
    }
    if (found == 1) {
        return find_shard(text, out, error);
    }
    error_set(error, ERROR_STATE, "%zu pools of the file are meant by \"%s\"", found,
              only != NULL ? only : database);
    return error_hint(error, "Name one: --proxy 'pgcat:…,config=FILE,database=POOL'.");
}

/* --- what is refused --- */

static bool is_on(const char *text, const char *const *table, const char *key)
{
    char *value = toml_text(text, table, key);
    bool on = value != NULL && strcmp(value, "true") == 0;
    free(value);
    return on;
}

static bool caches_statements(const char *text, const char *const *pool)
{
    static const char *const general[] = {"general", NULL};
    const char *const *tables[] = {pool, general};
    int size = 0;
    for (size_t i = 0; size == 0 && i < 2; i++) {
        char *value = toml_text(text, tables[i], "prepared_statements_cache_size");
        size = value != NULL ? number_int(value) : 0;
        free(value);
    }
    return size > 0;
}

static int check_role(const char *text, const char *const *pool, Error *error)
{
    char *role = toml_text(text, pool, "default_role");
    int status = 0;
    if (role != NULL && strcmp(role, "primary") != 0) {
        error_set(error, ERROR_STATE, "default_role of pool \"%s\" is \"%s\": writes would go to replicas",
                  pool[1], role);
        status = error_hint(error, "Write default_role = \"primary\" first.");
    }
    free(role);
    return status;
}

static int check_split(const char *text, const char *const *pool, const ProxyWish *wish, Error *error)
{
    if (wish->split == SPLIT_OFF || (wish->split == SPLIT_AS_IT_IS && !is_on(text, pool, SPLITTING))) {
        return 0;
    }
    if (wish->replica_count == 0) {
        error_set(error, ERROR_USAGE, "reads cannot be split off without a replica");
        return error_hint(error, "Name one with --replica HOST:PORT, or say --split off.");
    }
    if (wish->split == SPLIT_AS_IT_IS && !is_on(text, pool, PARSER)) {
        error_set(error, ERROR_STATE, SPLITTING " is on without " PARSER);
        return error_hint(error, "--split on sets both, --split off neither.");
    }
    if (caches_statements(text, pool) && !wish->accept_prepared) {
        error_set(error, ERROR_STATE, "the pool keeps prepared statements, and reads are to be split off");
        return error_hint(
            error, "A prepared INSERT that is executed again has been seen to go to a replica; so does "
                   "SELECT setval(). If the clients do neither: --accept-prepared.");
    }
    return 0;
}

static bool same_place(const Endpoint *a, const Endpoint *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

static int check_mirrors(const ProxyWish *wish, Error *error)
{
    for (size_t i = 0; i < wish->mirror_count; i++) {
        const Endpoint *mirror = &wish->mirrors[i];
        bool is_server = same_place(mirror, &wish->primary);
        for (size_t j = 0; j < wish->replica_count; j++) {
            is_server = is_server || same_place(mirror, &wish->replicas[j]);
        }
        if (is_server) {
            return error_set(error, ERROR_USAGE,
                             "%s:%s cannot be its own mirror: everything would be written twice",
                             mirror->host, mirror->port);
        }
    }
    return 0;
}

/* --- the change --- */

static void take_endpoint(const Endpoint *from, const char *role, PgcatServer *out)
{
    snprintf(out->host, sizeof out->host, "%s", from->host);
    snprintf(out->port, sizeof out->port, "%s", from->port);
    snprintf(out->role, sizeof out->role, "%s", role);
}

static int add_servers(const char *text, const char *const *shard, const ProxyWish *wish, json_t *change,
                       Error *error)
{
    PgcatServer servers[PROXY_PLACES + 1];
    char *raw = toml_raw(text, shard, "servers"), *written = NULL;
    take_endpoint(&wish->primary, "primary", &servers[0]);
    for (size_t i = 0; i < wish->replica_count; i++) {
        take_endpoint(&wish->replicas[i], "replica", &servers[i + 1]);
    }
    int status = raw == NULL ? error_set(error, ERROR_STATE, "there is no `servers` in [pools.%s.shards.%s]",
                                         shard[1], shard[3])
                             : pgcat_servers_write(raw, servers, wish->replica_count + 1, &written, error);
    if (status == 0) {
        change_add(change, shard, "servers", raw, written);
    }
    free(raw);
    free(written);
    return status;
}

static void add_mirrors(const char *text, const char *const *shard, const ProxyWish *wish, json_t *change)
{
    PgcatServer mirrors[PROXY_PLACES];
    for (size_t i = 0; i < wish->mirror_count; i++) {
        take_endpoint(&wish->mirrors[i], "0", &mirrors[i]);
    }
    char *raw = toml_raw(text, shard, "mirrors");
    char *written = wish->mirror_count > 0 ? pgcat_mirrors(mirrors, wish->mirror_count) : NULL;
    change_add(change, shard, "mirrors", raw, written);
    free(raw);
    free(written);
}

static void add_key(const char *text, const char *const *pool, const char *key, const char *value,
                    json_t *change)
{
    char *raw = toml_raw(text, pool, key);
    change_add(change, pool, key, raw, value);
    free(raw);
}

int pgcat_wish_change(const char *text, const char *file, const PgcatPlace *place, const ProxyWish *wish,
                      json_t **change, Error *error)
{
    const char *const pool[] = {"pools", place->pool, NULL};
    const char *const shard[] = {"pools", place->pool, "shards", place->shard, NULL};
    *change = NULL;
    if (check_role(text, pool, error) != 0 || check_split(text, pool, wish, error) != 0 ||
        check_mirrors(wish, error) != 0) {
        return -1;
    }
    json_t *made = change_new(file);
    add_key(text, pool, "default_role", "\"primary\"", made);
    if (wish->split == SPLIT_ON) {
        add_key(text, pool, PARSER, "true", made);
        add_key(text, pool, SPLITTING, "true", made);
    } else if (wish->split == SPLIT_OFF && is_on(text, pool, SPLITTING)) {
        add_key(text, pool, SPLITTING, "false", made);
    }
    add_mirrors(text, shard, wish, made);
    if (add_servers(text, shard, wish, made, error) != 0) {
        json_decref(made);
        return -1;
    }
    *change = made;
    return 0;
}

static int change_key(char **text, const json_t *one, Error *error)
{
    const char *table[TOML_DEPTH] = {NULL}, *key = json_string_value(json_object_get(one, "key"));
    const char *before = json_string_value(json_object_get(one, "before")), *after = NULL;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(one, "table"), i, name)
    {
        table[i < TOML_DEPTH - 1 ? i : TOML_DEPTH - 1] = json_string_value(name);
    }
    char *now = toml_raw(*text, table, key);
    bool as_said = now == NULL || before == NULL ? now == NULL && before == NULL : strcmp(now, before) == 0;
    free(now);
    if (!as_said) {
        return error_set(error, ERROR_STATE, "\"%s\" in [%s.%s] has been changed by someone else", key,
                         table[0], table[1] != NULL ? table[1] : "");
    }
    after = json_string_value(json_object_get(one, "after"));
    return toml_set(text, table, key, after, error);
}

int pgcat_change_text(const char *text, const json_t *change, char **out, Error *error)
{
    char *edited = strdup(text);
    size_t i;
    json_t *one;
    int status = 0;
    json_array_foreach(json_object_get(change, "changes"), i, one)
    {
        status = status == 0 ? change_key(&edited, one, error) : status;
    }
    if (status != 0) {
        free(edited);
        edited = NULL;
    }
    *out = edited;
    return status;
}
