/*
 * What the files of the PgBouncer adapter share: adapter.c has the operations that hold, inspect.c and limits.c the checks
 * beforehand, rehearse.c the logins tried beforehand, look.c the one in the hold, walk.c who is there, config.c what changes
 * the configuration, reload.c what makes it count. Private to this folder.
 */
#pragma once

#include "block.h"
#include "config_files.h"
#include "console.h"
#include "file_turns.h"
#include "proxy.h"
#include "route.h"
#include "store.h"

/* Names of entries that are ours, or another migration's, begin so, and go away by themselves. */
#define REHEARSAL "penstock_rehearsal_"

struct Proxy {
    Console console;
    Console pauser; /* for PAUSE alone */
    char *uri;
    Store *store; /* NULL until it is known where the file is */
    char *entry;  /* name in [databases] */
    bool named;   /* the operator has said which entry; else all go that lead where this one does */
    bool accepts_untried;
    bool ends_sessions;          /* holds by ending every session of the entry */
    BlockKey rehearsal, lookout; /* whose lines in the file are this migration's */
    FileTurn *turn;              /* with its files; NULL: it has none now */
};

/* SHOW DATABASES, which the caller frees, and the entry's row in it; -1 when PgBouncer has not made it yet from its `*`
 * line. */
int pgbouncer_show_entry(Proxy *proxy, PGresult **out, int *row, Error *error) MUST_CHECK;

/*
 * The entries that are held and moved together, as the console has them: the proxy's own first, and, unless the operator named
 * it, all that lead to the same database of the same server. No file is read for it: who lets clients go may not have one.
 * To be freed with ini_names_free.
 */
int pgbouncer_entries(Proxy *proxy, char ***out, Error *error) MUST_CHECK;

/* Reads the configuration, with the console's help to find it. The caller frees *files with config_files_free. */
int pgbouncer_read(Proxy *proxy, ConfigFiles *files, Error *error) MUST_CHECK;

/* Knows where the configuration file is, when it was not named, from SHOW CONFIG. */
int pgbouncer_find_store(Proxy *proxy, const PGresult *config, Error *error) MUST_CHECK;

/* The value of a setting in SHOW CONFIG; "" when there is none. Borrowed from config. */
const char *pgbouncer_setting(const PGresult *config, const char *key);

/*
 * RELOAD, after which every setting of SHOW CONFIG must be what it was, and every entry of SHOW DATABASES where it was but
 * for those of moved (NULL-terminated). Settings that have changed are set back by SET.
 */
int pgbouncer_reload(Proxy *proxy, char *const *moved, Error *error) MUST_CHECK;

/* Runs visit for each user who has a pool of one of the entries; line is the entry's. */
int pgbouncer_visit_users(Proxy *proxy, RouteVisit visit, const ProxyContext *context, ProxyReport *report,
                          Error *error) MUST_CHECK;

/* That PgBouncer leads each of the entries where text says. */
int pgbouncer_check_shown(Proxy *proxy, const char *text, char *const *entries, Error *error) MUST_CHECK;

/* Makes PgBouncer use the files as they were edited, and sees that its entries lead where they say. */
int pgbouncer_apply(Proxy *proxy, ConfigFiles *files, bool keep, Error *error) MUST_CHECK;

/* Before a hold: its own time limits (limits.c), and several processes at one port. */
int pgbouncer_check_limits(const PGresult *config, const char *text, char *const *entries,
                           const ProxyContext *context, Error *error) MUST_CHECK;
int pgbouncer_check_processes(Proxy *proxy, const PGresult *config, ProxyReport *report,
                              Error *error) MUST_CHECK;

/*
 * Edits, reloads and logs in as the switch will: with entries of its own that are taken away again. Fails when PgBouncer
 * does not take the edit, or a user who gets in where clients are now would not get in at context->to. Who could not be
 * tried is named in report->warning, and an error unless the operator accepts that.
 */
int pgbouncer_rehearse(Proxy *proxy, const ProxyContext *context, const PGresult *config, const char *text,
                       char *const *entries, ProxyReport *report, Error *error) MUST_CHECK;

/* See proxy.h. */
int pgbouncer_prepare_look(Proxy *proxy, const ProxyContext *context, json_t **ways, Error *error) MUST_CHECK;
int pgbouncer_look(Proxy *proxy, const json_t *way, int limit_ms, ProbeAnswer *answer,
                   Error *error) MUST_CHECK;
int pgbouncer_end_look(Proxy *proxy, Error *error) MUST_CHECK;

/* Takes away what a rehearsal of this migration's that was killed has left in the file. */
int pgbouncer_clean(Proxy *proxy, ConfigFiles *files, Error *error) MUST_CHECK;

/* For penstock proxy; see proxy.h. */
int pgbouncer_show(Proxy *proxy, json_t **rows, Error *error) MUST_CHECK;
int pgbouncer_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change,
                  Error *error) MUST_CHECK;
int pgbouncer_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error) MUST_CHECK;

/* See proxy.h. */
int pgbouncer_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                      Error *error) MUST_CHECK;
int pgbouncer_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report,
                         Error *error) MUST_CHECK;
int pgbouncer_remember(Proxy *proxy, json_t **out, Error *error) MUST_CHECK;
int pgbouncer_point_at(Proxy *proxy, const ProxyContext *context, Error *error) MUST_CHECK;
int pgbouncer_restore(Proxy *proxy, const ProxyContext *context, const json_t *remembered,
                      Error *error) MUST_CHECK;

/* From take, which waits for it as long as an answer may take, to give nobody else changes the files of this proxy (file_turns.h).
 * Whatever reads a file to change it, and tells PgBouncer to read it, stands between them. */
int pgbouncer_take_files(Proxy *proxy, bool (*stop)(void), Error *error) MUST_CHECK;
void pgbouncer_give_files(Proxy *proxy);
