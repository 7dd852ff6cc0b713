/*
 * penstock proxy, for pgcat. Which servers it uses is read back from SHOW DATABASES. Of splitting and mirrors its console
 * shows nothing: there is only the word of RELOAD, which is wanted, too.
 */
#include "pgcat/set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "change.h"
#include "clock.h"
#include "file.h"
#include "number.h"
#include "pgcat/held.h"
#include "pgcat/plan.h"
#include "pgcat/servers.h"
#include "pgcat/shown.h"
#include "pgcat/wish.h"
#include "server.h"
#include "toml.h"

#define VERIFY_LIMIT_MS 5000

/* --- show --- */

/* Takes apart POOL_shard_NUMBER_ROLE[_NUMBER]. */
static bool read_name(const char *name, PgcatPlace *place, char role[16])
{
    const char *shard = NULL;
    for (const char *at = name; (at = strstr(at, "_shard_")) != NULL; at++) {
        shard = at;
    }
    if (shard == NULL || (size_t)(shard - name) >= sizeof place->pool ||
        sscanf(shard, "_shard_%15[0-9]_%15[a-z]", place->shard, role) != 2) {
        return false;
    }
    snprintf(place->pool, sizeof place->pool, "%.*s", (int)(shard - name), name);
    return true;
}

static void count_clients(const PGresult *pools, const char *pool, int *active, int *waiting)
{
    *active = *waiting = 0;
    for (int row = 0; row < PQntuples(pools); row++) {
        if (strcmp(console_field(pools, row, "database"), pool) == 0) {
            *active += number_int(console_field(pools, row, "cl_active"));
            *waiting += number_int(console_field(pools, row, "cl_waiting"));
        }
    }
}

static json_t *split_of(const char *text, const char *pool)
{
    char *value =
        toml_text(text, (const char *const[]){"pools", pool, NULL}, "query_parser_read_write_splitting");
    bool on = value != NULL && strcmp(value, "true") == 0;
    free(value);
    return json_boolean(on);
}

/* Each user of a pool has a row of its own for the same server. */
static bool is_there(const json_t *rows, const json_t *row)
{
    size_t i;
    json_t *one;
    json_array_foreach(rows, i, one)
    {
        if (json_equal(one, row)) {
            return true;
        }
    }
    return false;
}

static void add_mirrors(const char *text, const PgcatPlace *place, const json_t *row, json_t *rows)
{
    PgcatServer mirrors[PGCAT_SERVERS];
    size_t count = 0;
    Error ignored;
    char *raw =
        toml_raw(text, (const char *const[]){"pools", place->pool, "shards", place->shard, NULL}, "mirrors");
    if (raw != NULL && pgcat_servers_read(raw, mirrors, &count, &ignored) != 0) {
        count = 0;
    }
    for (size_t i = 0; i < count; i++) {
        json_t *mirror = json_copy((json_t *)row);
        json_object_set_new(mirror, "role", json_string("mirror"));
        json_object_set_new(mirror, "host", json_string(mirrors[i].host));
        json_object_set_new(mirror, "port", json_string(mirrors[i].port));
        json_array_append_new(rows, mirror);
    }
    free(raw);
}

static void add_row(const char *text, const PGresult *databases, int number, const PGresult *pools,
                    json_t *rows)
{
    PgcatPlace place;
    char role[16];
    int active, waiting;
    if (!read_name(console_field(databases, number, "name"), &place, role)) {
        return;
    }
    count_clients(pools, place.pool, &active, &waiting);
    json_t *row = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:s, s:s, s:b, s:i, s:i}", "pool", place.pool, "database",
        console_field(databases, number, "database"), "mode", console_field(databases, number, "pool_mode"),
        "role", role, "split", split_of(text, place.pool), "host", console_field(databases, number, "host"),
        "port", console_field(databases, number, "port"), "paused",
        number_int(console_field(databases, number, "paused")) != 0, "active", active, "waiting", waiting);
    if (!is_there(rows, row)) {
        json_array_append(rows, row);
        if (strcmp(role, "primary") == 0) {
            add_mirrors(text, &place, row, rows);
        }
    }
    json_decref(row);
}

int pgcat_show(Proxy *proxy, json_t **rows, Error *error)
{
    char *text = NULL;
    PGresult *databases = NULL, *pools = NULL;
    int status = file_read(proxy->config, &text, error);
    if (status == 0) {
        status = console_run(&proxy->console, "SHOW DATABASES", &databases, error);
    }
    if (status == 0) {
        status = console_run(&proxy->console, "SHOW POOLS", &pools, error);
    }
    *rows = json_array();
    for (int row = 0; status == 0 && row < PQntuples(databases); row++) {
        add_row(text, databases, row, pools, *rows);
    }
    PQclear(databases);
    PQclear(pools);
    free(text);
    return status;
}

/* --- set --- */

static bool is_listed(const PgcatServer *servers, size_t count, const char *host, const char *port,
                      const char *role)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(servers[i].host, host) == 0 && strcmp(servers[i].port, port) == 0 &&
            strcmp(servers[i].role, role) == 0) {
            return true;
        }
    }
    return false;
}

/* True when the place's servers in SHOW DATABASES are those, neither more nor less. */
static int compare_shown(Proxy *proxy, const PgcatPlace *place, const PgcatServer *servers, size_t count,
                         bool *same, Error *error)
{
    PGresult *databases;
    bool seen[PGCAT_SERVERS] = {false};
    if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    *same = true;
    for (int row = 0; row < PQntuples(databases); row++) {
        PgcatPlace shown;
        char role[16];
        const char *host = console_field(databases, row, "host"),
                   *port = console_field(databases, row, "port");
        if (!read_name(console_field(databases, row, "name"), &shown, role) ||
            strcmp(shown.pool, place->pool) != 0 || strcmp(shown.shard, place->shard) != 0) {
            continue;
        }
        *same = *same && is_listed(servers, count, host, port, role);
        for (size_t i = 0; i < count; i++) {
            seen[i] = seen[i] || is_listed(&servers[i], 1, host, port, role);
        }
    }
    for (size_t i = 0; i < count; i++) {
        *same = *same && seen[i];
    }
    PQclear(databases);
    return 0;
}

/* Waits until pgcat shows the servers of text. */
static int verify(Proxy *proxy, const PgcatPlace *place, const char *text, int limit_ms, Error *error)
{
    const char *const shard[] = {"pools", place->pool, "shards", place->shard, NULL};
    PgcatServer servers[PGCAT_SERVERS];
    size_t count;
    char *raw = toml_raw(text, shard, "servers");
    int status = raw != NULL ? pgcat_servers_read(raw, servers, &count, error)
                             : error_set(error, ERROR_STATE, "the pool has no servers in the file");
    bool same = false;
    for (int waited = 0; status == 0 && !same && waited <= limit_ms; waited += 20) {
        status = compare_shown(proxy, place, servers, count, &same, error);
        if (status == 0 && !same && limit_ms > 0) {
            clock_pause_ms(20);
        }
    }
    free(raw);
    if (status != 0 || same) {
        return status;
    }
    error_set(error, ERROR_PROXY, "pgcat does not use the servers that its file names");
    return error_hint(error, "Its log says what it did not like in \"%.200s\"; is it the file that it reads?",
                      proxy->config);
}

static int check_servers(const char *text, const PgcatPlace *place, const ProxyWish *wish, Error *error)
{
    PgcatUser user;
    const char *const shard[] = {"pools", place->pool, "shards", place->shard, NULL};
    if (!pgcat_user(text, place->pool, 0, &user)) {
        return error_set(error, ERROR_STATE, "pool \"%s\" has no user", place->pool);
    }
    char *database = toml_text(text, shard, "database");
    ServerLogin login = {.database = database, .user = user.server_name, .password = user.server_password};
    int status = server_check_wish(wish, &login, error);
    free(database);
    pgcat_user_free(&user);
    return status;
}

static int write_and_verify(Proxy *proxy, const PgcatPlace *place, const char *text, Error *error)
{
    int status = file_replace_again(proxy->config, text, error);
    if (status == 0) {
        status = pgcat_reload(proxy, error);
    }
    return status == 0 ? verify(proxy, place, text, VERIFY_LIMIT_MS, error) : status;
}

/* Makes pgcat use the edited text; when it does not, the old one is put back. */
static int apply(Proxy *proxy, const PgcatPlace *place, const char *text, const char *edited, Error *error)
{
    Error other;
    if (write_and_verify(proxy, place, edited, error) == 0) {
        return 0;
    }
    if (write_and_verify(proxy, place, text, &other) != 0) {
        return error_context(error, "taken back, but pgcat may not have it (%.200s)", other.message);
    }
    return error_context(error, "taken back");
}

static int keep_and_apply(Proxy *proxy, const PgcatPlace *place, const char *text, const char *edited,
                          const json_t *change, Error *error)
{
    json_t *previous;
    int status = change_keep(change, &previous, error);
    if (status == 0) {
        status = apply(proxy, place, text, edited, error);
    }
    if (status == 0) {
        json_decref(previous);
    } else {
        change_drop(change, previous);
    }
    return status;
}

static int check_file(Proxy *proxy, Error *error)
{
    if (access(proxy->state, F_OK) == 0) {
        error_set(error, ERROR_STATE, "\"%s\" is there: a cutover holds the clients", proxy->state);
        return error_hint(error, "End it with --resume or --undo first.");
    }
    return file_check(proxy->config, error);
}

static int set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    char *text = NULL, *edited = NULL;
    PgcatPlace place;
    *change = NULL;
    if (check_file(proxy, error) != 0 || file_read(proxy->config, &text, error) != 0) {
        return -1;
    }
    int status = pgcat_find_place(text, proxy->database, proxy->pool, &place, error);
    if (status == 0) {
        status = pgcat_wish_change(text, proxy->config, &place, wish, change, error);
    }
    if (status == 0) {
        status = pgcat_change_text(text, *change, &edited, error);
    }
    if (status == 0) {
        status = verify(proxy, &place, text, 0, error);
    }
    if (status == 0) {
        status = check_servers(text, &place, wish, error);
    }
    if (status == 0 && !dry_run && json_array_size(json_object_get(*change, "changes")) > 0) {
        status = keep_and_apply(proxy, &place, text, edited, *change, error);
    }
    free(text);
    free(edited);
    return status;
}

/* The place that the change is about: its servers, or its pool's keys. */
static int place_of(const char *text, const json_t *change, PgcatPlace *place, Error *error)
{
    const json_t *first = json_array_get(json_object_get(change, "changes"), 0);
    const char *pool = json_string_value(json_array_get(json_object_get(first, "table"), 1));
    return pgcat_find_place(text, "", pool != NULL ? pool : "", place, error);
}

static int set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error)
{
    json_t *kept;
    char *text = NULL, *edited = NULL;
    PgcatPlace place;
    *change = NULL;
    if (check_file(proxy, error) != 0 || change_load(proxy->config, &kept, error) != 0) {
        return -1;
    }
    *change = change_reversed(kept);
    int status = file_read(proxy->config, &text, error);
    if (status == 0) {
        status = place_of(text, *change, &place, error);
    }
    if (status == 0) {
        status = pgcat_change_text(text, *change, &edited, error);
    }
    if (status == 0 && !dry_run) {
        status = apply(proxy, &place, text, edited, error);
        if (status == 0) {
            change_forget(kept);
        }
    }
    free(text);
    free(edited);
    json_decref(kept);
    return status;
}

/* With the file to itself; wish NULL: what was set is set back. */
static int set_alone(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    *change = NULL;
    if (pgcat_take_file(proxy, NULL, error) != 0) {
        return -1;
    }
    int status =
        wish != NULL ? set(proxy, wish, dry_run, change, error) : set_back(proxy, dry_run, change, error);
    pgcat_give_file(proxy);
    return status;
}

int pgcat_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error)
{
    return set_alone(proxy, wish, dry_run, change, error);
}

int pgcat_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error)
{
    return set_alone(proxy, NULL, dry_run, change, error);
}
