/*
 * RELOAD is dangerous. PgBouncer 1.18 to 1.24 say yes to a file with an error, read up to it and give every setting behind
 * it its default (main.c, load_config); 1.26 says no, and has changed settings all the same. So every setting is compared,
 * and what has changed is set back on the connection that there is: it stays the console's even when admin_users has
 * become nobody.
 */
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "number.h"
#include "pgbouncer/pgbouncer.h"
#include "text.h"

#define LOGINS_MS 500
#define LOGINS_PAUSE_MS 20
#define HELD_LOGINS_MS 300 /* while clients are held: those that log in are of other databases */

typedef struct Shown {
    PGresult *config;
    PGresult *databases;
} Shown;

static int look(Proxy *proxy, Shown *out, Error *error)
{
    *out = (Shown){0};
    if (console_run(&proxy->console, "SHOW CONFIG", &out->config, error) != 0) {
        return -1;
    }
    return console_run(&proxy->console, "SHOW DATABASES", &out->databases, error);
}

static void forget(Shown *shown)
{
    PQclear(shown->config);
    PQclear(shown->databases);
}

/* False when it cannot be. */
static bool set_back(Proxy *proxy, const char *key, const char *value)
{
    Text command = {0};
    Error ignored;
    text_printf(&command, "SET %s = '", key);
    for (; *value != '\0'; value++) {
        text_append_bytes(&command, value, 1);
        if (*value == '\'') {
            text_append(&command, "'");
        }
    }
    text_append(&command, "'");
    int status = console_run(&proxy->console, command.data, NULL, &ignored);
    text_free(&command);
    return status == 0;
}

/* Adds what has changed to words, and sets it back. */
static void compare_settings(Proxy *proxy, const PGresult *before, const PGresult *after, Text *words)
{
    for (int row = 0; row < PQntuples(before); row++) {
        const char *key = console_field(before, row, "key"), *was = console_field(before, row, "value");
        const char *is = pgbouncer_setting(after, key);
        if (strcmp(was, is) != 0) {
            bool back = set_back(proxy, key, was);
            text_printf(words, "%s%s from \"%.60s\" to \"%.60s\"%s", words->size > 0 ? ", " : "", key, was,
                        is, back ? "" : " (it cannot be set back)");
        }
    }
}

static bool is_among(char *const *names, const char *name)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return strncmp(name, REHEARSAL, strlen(REHEARSAL)) == 0;
}

/* The row of that name, which is near the one it had before: thousands of entries keep their order. */
static int find_row(const PGresult *after, int near, const char *name)
{
    return strcmp(console_field(after, near, "name"), name) == 0 ? near : console_row(after, "name", name);
}

static void compare_entries(const PGresult *before, const PGresult *after, char *const *moved, Text *words)
{
    static const char *const columns[] = {"host", "port", "database", "force_user", "pool_mode", "disabled"};
    for (int row = 0, now = -1; row < PQntuples(before); row++) {
        const char *name = console_field(before, row, "name");
        now = find_row(after, now + 1, name);
        const char *comma = words->size > 0 ? ", " : "";
        if (is_among(moved, name)) {
            continue;
        }
        if (now < 0) {
            text_printf(words, "%s\"%s\" is gone", comma, name);
            continue;
        }
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            const char *was = console_field(before, row, columns[i]),
                       *is = console_field(after, now, columns[i]);
            if (strcmp(was, is) != 0) {
                text_printf(words, "%s%s of \"%s\" from \"%.60s\" to \"%.60s\"", comma, columns[i], name, was,
                            is);
                break;
            }
        }
    }
}

/* What is wrong stands in the error of a RELOAD that was refused, too. */
static int judge(Proxy *proxy, const Shown *before, char *const *moved, bool refused, Error *error)
{
    Shown after;
    Text words = {0};
    Error other;
    if (look(proxy, &after, &other) == 0) {
        compare_settings(proxy, before->config, after.config, &words);
        compare_entries(before->databases, after.databases, moved, &words);
    }
    forget(&after);
    if (refused) {
        error_context(error, "PgBouncer does not take its configuration");
        error_hint(error, "Its log says why.%s%.300s", words.size > 0 ? " Changed, and set back: " : "",
                   words.size > 0 ? words.data : "");
    } else if (words.size > 0) {
        error_set(error, ERROR_PROXY, "RELOAD changed more than it should: %.400s", words.data);
        error_hint(error,
                   "Settings were set back by SET; the file \"%.200s\" must be mended before the next "
                   "RELOAD or restart: see PgBouncer's log.",
                   store_name(proxy->store));
    }
    bool bad = refused || words.size > 0;
    text_free(&words);
    return bad ? -1 : 0;
}

static int logins(Proxy *proxy)
{
    PGresult *pools;
    Error ignored;
    int sum = 0;
    if (console_run(&proxy->console, "SHOW POOLS", &pools, &ignored) != 0) {
        return 0;
    }
    for (int row = 0; row < PQntuples(pools); row++) {
        sum += number_int(console_field(pools, row, "sv_login"));
    }
    PQclear(pools);
    return sum;
}

/*
 * Where PgBouncer speaks TLS to servers, RELOAD ends every connection of its that is just logging in, and takes that for a login
 * that failed: clients that wait for one get "server login has been failing" (objects.c, tag_pool_dirty and disconnect_server;
 * seen with 1.18). So a moment without any is waited for; there is one, for a pool that has its connections logs in no more.
 */
static void wait_for_logins(Proxy *proxy, bool held)
{
    int64_t deadline = clock_ms() + (held ? HELD_LOGINS_MS : LOGINS_MS);
    while (logins(proxy) > 0 && clock_ms() < deadline) {
        clock_pause_ms(LOGINS_PAUSE_MS);
    }
}

int pgbouncer_reload(Proxy *proxy, char *const *moved, Error *error)
{
    Shown before;
    int status = look(proxy, &before, error);
    if (status == 0) {
        wait_for_logins(proxy, console_row(before.databases, "paused", "1") >= 0);
        bool refused = console_run(&proxy->console, "RELOAD", NULL, error) != 0;
        status = judge(proxy, &before, moved, refused, error);
    }
    forget(&before);
    return status;
}
