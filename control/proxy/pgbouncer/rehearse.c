/*
 * The switch, tried while nobody waits: PgBouncer itself logs in at the server that clients are to go to, with what it knows
 * of each user, its own TLS, its own way to resolve names. For that it gets entries of ours, which no client knows of:
 *
 *     penstock_rehearsal_KEY_N_now    as the entry leads now, with user=USER
 *     penstock_rehearsal_KEY_N_next   as it will lead, the same; KEY is of the migration and the entry (block.h)
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
#include "hba.h"
#include "identity.h"
#include "pgbouncer/pgbouncer.h"
#include "pgbouncer/stage.h"
#include "pgbouncer/walk.h"
#include "text.h"

#define LOGIN_LIMIT_MS 4000

/* --- who plays --- */

static int add_player(void *context, const EntryUser *user, Error *error)
{
    Rehearsal *all = context;
    (void)error;
    if (all->count == all->room) {
        all->room = all->room > 0 ? 2 * all->room : 16;
        all->players = realloc(all->players, all->room * sizeof *all->players);
    }
    all->players[all->count++] = (Player){.entry = strdup(user->entry),
                                          .line = strdup(user->line),
                                          .user = strdup(user->name),
                                          .password = user->password != NULL ? strdup(user->password) : NULL,
                                          .forced = user->forced,
                                          .unseen = user->unseen};
    return 0;
}

int rehearsal_cast(Rehearsal *all, const char *text, char *const *entries, Error *error)
{
    return pgbouncer_walk_users(all->proxy, all->config, text, entries, add_player, all, error);
}

void rehearsal_dismiss(Rehearsal *all)
{
    for (size_t i = 0; i < all->count; i++) {
        free(all->players[i].entry);
        free(all->players[i].line);
        free(all->players[i].user);
        free(all->players[i].password);
    }
    free(all->players);
    text_free(&all->untried);
    text_free(&all->later);
}

/* --- the play --- */

typedef enum Outcome { GETS_IN, IS_REFUSED, UNTRIED } Outcome;

/* One login through one of our entries. */
static int enter(const Rehearsal *all, size_t number, const char *as, const char *when, const char *user,
                 const char *password, char system[32], Error *error)
{
    char name[64];
    stage_name(all->key, number, as, when, name);
    RouteUser route = {.database = name, .name = user, .password = password};
    char *uri = route_uri(&all->proxy->console, &route);
    int status = identity_ask(uri, LOGIN_LIMIT_MS, system, error);
    free(uri);
    return status;
}

bool rehearsal_way(const Rehearsal *all, size_t number, Way *way)
{
    const Player *player = &all->players[number];
    const PGconn *console = database_connection(all->proxy->console.database);
    char system[32];
    Error ignored;
    *way = (Way){.as = "", .user = PQuser(console), .password = PQpass(console)};
    if (enter(all, number, way->as, "now", way->user, way->password, system, &ignored) == 0) {
        return true;
    }
    *way = (Way){.as = "_plain", .user = player->user, .password = player->password};
    return !player->forced && player->password != NULL &&
           enter(all, number, way->as, "now", way->user, way->password, system, &ignored) == 0;
}

/* The same login now and next. */
static Outcome compare(const Rehearsal *all, size_t number, Error *error)
{
    char system[32];
    Way way;
    if (!rehearsal_way(all, number, &way)) {
        return UNTRIED;
    }
    if (enter(all, number, way.as, "next", way.user, way.password, system, error) != 0) {
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

/* Before the copy, what auth_query calls is not on the target yet: that it does not run there says nothing. */
static bool comes_with_copy(const Rehearsal *all, const Player *player)
{
    return all->context->before_copy && asks_at_the_server(all, player);
}

static Outcome play(const Rehearsal *all, size_t number, Error *error)
{
    const Player *player = &all->players[number];
    Outcome outcome = compare(all, number, error);
    if (outcome == UNTRIED && !player->unseen && asks_at_the_server(all, player)) {
        outcome = compare_query(all, number, player->user, error);
    }
    return outcome;
}

static int check_directly(const Rehearsal *all, const Player *player, Error *error)
{
    const ProxyContext *context = all->context;
    return credentials_check(context->source, context->target, &context->to, player->user, player->password,
                             error);
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

/* Who could not be tried may be known to fail all the same, by pg_hba.conf there. */
static int check_rules(const Rehearsal *all, const Player *player, ProxyReport *report, Error *error)
{
    const ProxyContext *context = all->context;
    char *why = NULL;
    if (hba_judge_user(context->source, context->target, context->to.database, player->user, &why, error) !=
        0) {
        return -1;
    }
    bool refuses = why != NULL && !all->proxy->accepts_untried;
    if (refuses) {
        error_set(error, ERROR_TARGET, "%.400s", why);
        refused(all, player, error);
    } else if (why != NULL) {
        proxy_warn(report, "accepted: \"%s\" would not get in: %.300s", player->user, why);
    }
    free(why);
    return refuses ? -1 : 0;
}

/* The error of one who would not get in, ERROR_NONE else; who could not be tried is noted. */
static void play_one(Rehearsal *all, size_t number, bool fenced, ProxyReport *report, Error *error)
{
    const Player *player = &all->players[number];
    Outcome outcome = play(all, number, error);
    bool later = outcome != GETS_IN && comes_with_copy(all, player);
    /* A fence answers. Who gets no answer has not come so far: PgBouncer keeps its clients waiting where TLS fails. */
    bool is_refused = outcome == IS_REFUSED && (!fenced || error->code == ERROR_LIMIT) && !later;
    if (is_refused && !(player->unseen && all->proxy->accepts_untried)) {
        refused(all, player, error);
        return;
    }
    *error = (Error){.code = ERROR_NONE}; /* of what did not go through on the way there */
    if (player->unseen && outcome != GETS_IN) {
        if (is_refused) {
            proxy_warn(report, "accepted: \"%s\" of auth_file cannot log in there", player->user);
        }
        return; /* may be no user of this database at all */
    }
    if (outcome != GETS_IN && check_directly(all, player, error) != 0) {
        return;
    }
    if (outcome != GETS_IN && check_rules(all, player, report, error) != 0) {
        return;
    }
    if (outcome == UNTRIED || later) {
        Text *names = later ? &all->later : &all->untried;
        text_printf(names, "%s\"%s\" of \"%s\"", names->size > 0 ? ", " : "", player->user, player->entry);
    }
}

static int play_all(Rehearsal *all, ProxyReport *report, Error *error)
{
    /* It turns everybody away, and what PgBouncer says of that has no SQLSTATE: then we log in ourselves. */
    bool fenced = credentials_fenced(all->context->target, all->context->to.database);
    for (size_t i = 0; i < all->count && !all->silent; i++) {
        if (all->context->stop != NULL && all->context->stop()) {
            return error_set(error, ERROR_INTERRUPTED, "interrupted");
        }
        error->code = ERROR_NONE;
        play_one(all, i, fenced, report, error);
        if (proxy_found(all->context, error->code == ERROR_NONE ? 0 : -1, error) != 0) {
            return -1;
        }
    }
    return 0;
}

/* PgBouncer as a whole may be paused or suspended: versions before 1.19 cannot say so but by refusing to pause. */
static int check_pause(Proxy *proxy, Error *error)
{
    char name[64];
    stage_name(&proxy->rehearsal, 0, "", "now", name);
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
    stage_name(&proxy->rehearsal, 0, "", "next", name);
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

static int perform(Rehearsal *all, ProxyReport *report, Error *error)
{
    Error other;
    int status = stage_build(all, false, error);
    if (status == 0) {
        status = check_stage(all->proxy, error);
    }
    if (status == 0) {
        status = play_all(all, report, error);
    }
    if (stage_strike(all->proxy, all->key, &other) != 0 && status == 0) {
        *error = other;
        status = error_context(error, "taking the rehearsal's lines away");
    }
    return status;
}

static int tell_untried(const Rehearsal *all, ProxyReport *report, Error *error)
{
    if (all->later.size > 0) {
        proxy_warn(
            report,
            "whether PgBouncer can log in at %s:%s for %.300s shows only after the copy, which brings what "
            "auth_query calls",
            all->context->to.host, all->context->to.port, all->later.data);
    }
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

static bool has_seen(const Rehearsal *all)
{
    for (size_t i = 0; i < all->count; i++) {
        if (!all->players[i].unseen) {
            return true;
        }
    }
    return false;
}

/* Nobody to log in as: the lines are tried, and nobody uses them. */
static int add_nobody(void *context, const Entry *entry, Error *error)
{
    Rehearsal *all = context;
    EntryUser user = {.entry = entry->name,
                      .line = entry->line,
                      .name = PQuser(database_connection(all->proxy->console.database))};
    all->silent = true;
    return all->count == 0 ? add_player(all, &user, error) : 0;
}

int pgbouncer_rehearse(Proxy *proxy, const ProxyContext *context, const PGresult *config, const char *text,
                       char *const *entries, ProxyReport *report, Error *error)
{
    Rehearsal all = {.proxy = proxy, .context = context, .config = config, .key = &proxy->rehearsal};
    int status = database_identify(context->target, all.target, error);
    if (status == 0) {
        status = rehearsal_cast(&all, text, entries, error);
    }
    if (status == 0 && !has_seen(&all)) {
        proxy_warn(report, "PgBouncer has seen no client of \"%s\" yet: %s at %s:%s", proxy->entry,
                   all.count > 0 ? "of its users those in auth_file are tried" : "no login could be tried",
                   context->to.host, context->to.port);
    }
    if (status == 0 && all.count == 0) {
        status = pgbouncer_walk_entries(text, entries, add_nobody, &all, error);
    }
    if (status == 0) {
        status = perform(&all, report, error);
    }
    if (status == 0) {
        status = tell_untried(&all, report, error);
    }
    rehearsal_dismiss(&all);
    return status;
}
