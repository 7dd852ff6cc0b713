/*
 * The switch, tried while nobody waits: PgBouncer itself logs in at the server that clients are to go to, with what it knows
 * of each user, its own TLS, its own way to resolve names. For that it gets entries of ours, which no client knows of:
 *
 *     penstock_rehearsal_N_now    as the entry leads now, with user=USER
 *     penstock_rehearsal_N_next   as it will lead, the same
 *
 * We come in as the console's user, and PgBouncer logs in at the server as USER, whose password or SCRAM keys it finds as it
 * does for USER's own clients (a forced user without a password is looked up: server.c, get_srv_psw). What goes through at
 * `now` and not at `next` would fail after the switch. What does not even go through at `now` cannot be tried so; then we
 * come as USER where its password is known, and where auth_query finds users, a wrong password shows whether it runs.
 *
 * The same edit and RELOAD prove that this is the file that PgBouncer reads. stage.c has the lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "credentials.h"
#include "file.h"
#include "identity.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/stage.h"
#include "text.h"

#define LOGIN_LIMIT_MS 4000

/* --- who plays --- */

static void add_player(Rehearsal *all, const char *entry, const char *line, const char *user, bool forced,
                       char *password)
{
    if (all->count == all->room) {
        all->room = all->room > 0 ? 2 * all->room : 16;
        all->players = realloc(all->players, all->room * sizeof *all->players);
    }
    all->players[all->count++] = (Player){
        .entry = entry, .line = strdup(line), .user = strdup(user), .password = password, .forced = forced};
}

static void add_players(Rehearsal *all, const char *entry, const char *line, const PGresult *pools,
                        const char *auth_file)
{
    char *forced = ini_line_setting(line, "user");
    if (forced != NULL) {
        add_player(all, entry, line, forced, true, NULL);
    }
    for (int row = 0; forced == NULL && row < PQntuples(pools); row++) {
        const char *user = console_field(pools, row, "user");
        if (strcmp(console_field(pools, row, "database"), entry) == 0) {
            add_player(all, entry, line, user, false,
                       auth_file != NULL ? credentials_password(auth_file, user) : NULL);
        }
    }
    free(forced);
}

static int cast(Rehearsal *all, const char *text, char *const *entries, Error *error)
{
    PGresult *pools;
    char *auth_file = NULL;
    Error ignored;
    if (console_run(&all->proxy->console, "SHOW POOLS", &pools, error) != 0) {
        return -1;
    }
    const char *path = pgbouncer_setting(all->config, "auth_file");
    if (*path == '\0' || file_read(path, &auth_file, &ignored) != 0) {
        auth_file = NULL;
    }
    int status = 0;
    for (size_t i = 0; status == 0 && entries[i] != NULL; i++) {
        char *line = NULL;
        bool fallback;
        status = ini_database_line(text, entries[i], &line, &fallback, error);
        if (status == 0) {
            add_players(all, entries[i], line, pools, auth_file);
        }
        free(line);
    }
    free(auth_file);
    PQclear(pools);
    return status;
}

static void dismiss(Rehearsal *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->players[i].line);
        free(all->players[i].user);
        free(all->players[i].password);
    }
    free(all->players);
    text_free(&all->untried);
}

/* --- the play --- */

typedef enum Outcome { GETS_IN, IS_REFUSED, UNTRIED } Outcome;

/* One login through one of our entries. */
static int enter(const Rehearsal *all, size_t number, const char *as, const char *when, const char *user,
                 const char *password, char system[32], Error *error)
{
    char name[64];
    stage_name(number, as, when, name);
    RouteUser route = {.database = name, .name = user, .password = password};
    char *uri = route_uri(&all->proxy->console, &route);
    int status = identity_ask(uri, LOGIN_LIMIT_MS, system, error);
    free(uri);
    return status;
}

/* The same login now and next. */
static Outcome compare(const Rehearsal *all, size_t number, const char *as, const char *user,
                       const char *password, Error *error)
{
    char system[32];
    if (enter(all, number, as, "now", user, password, system, error) != 0) {
        return UNTRIED;
    }
    if (enter(all, number, as, "next", user, password, system, error) != 0) {
        return IS_REFUSED;
    }
    if (strcmp(system, all->target) == 0) {
        return GETS_IN;
    }
    error_set(error, ERROR_STATE, "what PgBouncer reaches at %s:%s is another server (system %s)",
              all->context->to.host, all->context->to.port, system);
    return IS_REFUSED;
}

/* auth_query runs at the server before a password is looked at: the same refusal at both means that it runs at both. */
static Outcome compare_query(const Rehearsal *all, size_t number, const char *user, Error *error)
{
    char system[32];
    Error now;
    if (enter(all, number, "_plain", "now", user, "penstock rehearsal", system, &now) == 0 ||
        enter(all, number, "_plain", "next", user, "penstock rehearsal", system, error) == 0) {
        return UNTRIED;
    }
    return strcmp(now.message, error->message) == 0 ? UNTRIED : IS_REFUSED;
}

static bool asks_at_the_server(const Rehearsal *all, const Player *player)
{
    char *own = ini_line_setting(player->line, "auth_user");
    bool asks = own != NULL || *pgbouncer_setting(all->config, "auth_user") != '\0';
    free(own);
    return asks;
}

static Outcome play(const Rehearsal *all, size_t number, Error *error)
{
    const Player *player = &all->players[number];
    const PGconn *console = database_connection(all->proxy->console.database);
    Outcome outcome = compare(all, number, "", PQuser(console), PQpass(console), error);
    if (outcome == UNTRIED && player->password != NULL) {
        outcome = compare(all, number, "_plain", player->user, player->password, error);
    }
    if (outcome == UNTRIED && asks_at_the_server(all, player)) {
        outcome = compare_query(all, number, player->user, error);
    }
    return outcome;
}

/* A database that is fenced turns everybody away, and what PgBouncer says of it has no SQLSTATE: we look for ourselves. */
static bool is_fenced(const ProxyContext *context)
{
    bool fenced = false;
    Error ignored;
    return database_found(context->target, &fenced, &ignored,
                          "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit = 0", 1,
                          context->to.database) == 0 &&
           fenced;
}

static int check_directly(const Rehearsal *all, const Player *player, Error *error)
{
    const ProxyContext *context = all->context;
    char *own = player->forced ? ini_line_setting(player->line, "password") : NULL;
    int status = credentials_check(context->source, context->target, &context->to, player->user,
                                   own != NULL ? own : player->password, error);
    free(own);
    return status;
}

static int refused(const Rehearsal *all, const Player *player, Error *error)
{
    error_context(error, "\"%s\", a user of \"%s\", cannot log in at %s:%s as PgBouncer does it",
                  player->user, player->entry, all->context->to.host, all->context->to.port);
    error->code = ERROR_TARGET;
    return error_hint(
        error, "Its clients would wait or be disconnected after the switch. See to the role there, its "
               "password (a SCRAM secret only fits with the same salt and iterations, an md5 hash only an "
               "md5 secret), pg_hba.conf, TLS, and what auth_query calls. --target-address "
               "(--source-address on the way back) says how the proxy reaches that server.");
}

static int play_all(Rehearsal *all, Error *error)
{
    bool fenced = is_fenced(all->context);
    for (size_t i = 0; i < all->count && !all->silent; i++) {
        const Player *player = &all->players[i];
        if (all->context->stop != NULL && all->context->stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        Outcome outcome = play(all, i, error);
        if (outcome == IS_REFUSED && !fenced) {
            return refused(all, player, error);
        }
        *error = (Error){.code = ERROR_NONE}; /* of what did not go through on the way there */
        if (outcome != GETS_IN && check_directly(all, player, error) != 0) {
            return -1;
        }
        if (outcome == UNTRIED) {
            text_printf(&all->untried, "%s\"%s\" of \"%s\"", all->untried.size > 0 ? ", " : "", player->user,
                        player->entry);
        }
    }
    return 0;
}

/* PgBouncer as a whole may be paused or suspended: versions before 1.19 cannot say so but by refusing to pause. */
static int check_pause(Proxy *proxy, Error *error)
{
    char name[64];
    stage_name(0, "", "now", name);
    char command[96];
    snprintf(command, sizeof command, "PAUSE %s", name);
    if (console_run_within(&proxy->pauser, command, LOGIN_LIMIT_MS, NULL, error) != 0) {
        return error_hint(error,
                          "It cannot be paused, so clients cannot be held. Is it paused as a whole? RESUME.");
    }
    snprintf(command, sizeof command, "RESUME %s", name);
    return console_run(&proxy->console, command, NULL, error);
}

static int check_stage(Proxy *proxy, Error *error)
{
    PGresult *databases;
    char name[64];
    stage_name(0, "", "next", name);
    if (console_run(&proxy->console, "SHOW DATABASES", &databases, error) != 0) {
        return -1;
    }
    int row = console_row(databases, "name", name);
    PQclear(databases);
    if (row >= 0) {
        return check_pause(proxy, error);
    }
    error_set(error, ERROR_PROXY, "PgBouncer has not taken what was written to \"%s\", after RELOAD",
              store_name(proxy->store));
    return error_hint(error, "Is it the file that it reads, and may its user read it? Its log says more.");
}

static int perform(Rehearsal *all, Error *error)
{
    char *before = NULL, *block = stage_lines(all);
    Error other;
    if (store_read(all->proxy->store, NULL, &before, error) != 0) {
        free(block);
        return -1;
    }
    int status = stage_set(all->proxy, block, error);
    if (status == 0) {
        status = pgbouncer_reload(all->proxy, NULL, error);
    }
    if (status == 0) {
        status = check_stage(all->proxy, error);
    }
    if (status == 0) {
        status = play_all(all, error);
    }
    if (stage_strike(all->proxy, before, &other) != 0 && status == 0) {
        *error = other;
        status = error_context(error, "taking the rehearsal's lines away");
    }
    free(before);
    free(block);
    return status;
}

static int tell_untried(const Rehearsal *all, ProxyReport *report, Error *error)
{
    if (all->untried.size == 0) {
        return 0;
    }
    if (all->proxy->accepts_untried) {
        proxy_warn(report, "whether PgBouncer can log in at %s:%s could not be tried for %.400s",
                   all->context->to.host, all->context->to.port, all->untried.data);
        return 0;
    }
    error_set(error, ERROR_STATE, "whether PgBouncer can log in at %s:%s could not be tried for %.300s",
              all->context->to.host, all->context->to.port, all->untried.data);
    return error_hint(error,
                      "It can be tried where the console's user may use other databases of PgBouncer, or the "
                      "user's password is in auth_file. logins=accept behind the --proxy goes on without.");
}

static int identify(Rehearsal *all, Error *error)
{
    char *identifier = NULL;
    int status = database_value(all->context->target, &identifier, error,
                                "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0);
    snprintf(all->target, sizeof all->target, "%s", identifier != NULL ? identifier : "");
    free(identifier);
    return status;
}

int pgbouncer_rehearse(Proxy *proxy, const ProxyContext *context, const PGresult *config, const char *text,
                       char *const *entries, ProxyReport *report, Error *error)
{
    Rehearsal all = {.proxy = proxy, .context = context, .config = config};
    int status = identify(&all, error);
    if (status == 0) {
        status = cast(&all, text, entries, error);
    }
    if (status == 0 && all.count == 0) {
        const PGconn *console = database_connection(proxy->console.database);
        char *line = NULL;
        bool fallback;
        proxy_warn(report, "PgBouncer has seen no client of \"%s\" yet: no login at %s:%s could be tried",
                   proxy->entry, context->to.host, context->to.port);
        status = ini_database_line(text, proxy->entry, &line, &fallback, error);
        if (status == 0) {
            add_player(&all, proxy->entry, line, PQuser(console), false, NULL);
            all.silent = true;
        }
        free(line);
    }
    if (status == 0) {
        status = perform(&all, error);
    }
    if (status == 0) {
        status = tell_untried(&all, report, error);
    }
    dismiss(&all);
    return status;
}
