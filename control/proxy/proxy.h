/*
 * Connection proxies, as a cutover sees them: hold the clients, point a database somewhere else, let them go
 * on.
 *
 * Each kind of proxy is a row of ProxyOperations. Two ways to hold fit the table: a proxy that can pause by
 * itself holds in `hold` and lets go in `release` (PgBouncer); one that cannot is pointed, in `hold`, at a
 * gate that accepts and waits, and the gate is opened in `release` (pgcat). Whoever calls does not know which
 * it is.
 *
 *     open → inspect → prepare_look → remember → hold → [still] → point_at → look → release → end_look → close
 *                                                  │                 │
 *                                           let_go ◄──── restore ◄───┘      on the way back, any step may be repeated
 *
 * What the way back needs (the old lines of a configuration file) is what `remember` gives: the caller keeps
 * it durably before it calls hold, and a later process can undo with it. Passwords are never in error
 * messages; what `remember` gives has none either.
 *
 * When the process dies: before hold, nothing is changed; after it, clients wait, and whoever comes next opens the proxy anew,
 * hands what was remembered to restore, and calls let_go, or release when the journal says that the switch is through. A gate
 * goes on holding meanwhile (gate/), and a paused proxy stays so. What `open` gave is in memory alone: it is made anew.
 *
 * A Proxy belongs to one thread at a time.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "console.h"
#include "database.h"
#include "error.h"
#include "ini.h"
#include "probe.h"

typedef struct Proxy Proxy;

/* How --proxy names one: KIND[:ADMIN_URI][,config=FILE][,database=NAME][,logins=accept][,sessions=end]. */
typedef struct ProxySpec {
    char *kind;
    char *admin_uri;      /* NULL when not given */
    char *config;         /* NULL: as the console names it; see store.h */
    char *database;       /* NULL: the name of the source database */
    bool accepts_untried; /* logins=accept: users whose login at the target could not be tried */
    bool ends_sessions;   /* sessions=end: clients pooled by session are held by ending their sessions */
} ProxySpec;

/* What a step of a proxy may use. Everything is borrowed. */
typedef struct ProxyContext {
    Database *source;
    Database *target;
    Endpoint from;      /* the source as --source reaches it */
    Endpoint to;        /* the target as the proxy reaches it */
    int drain_limit_ms; /* for hold */
    int hold_limit_ms;  /* that clients may have to wait at most */
    bool (*stop)(void); /* true when the operator wants to end; NULL: never */
    /* For inspect: hears of each thing that would not work, and inspect goes on; NULL: the first one is its error. */
    void (*problem)(void *context, const Error *problem);
    void *problem_context;
    bool before_copy; /* what a login calls in the database may not be on the target yet */
} ProxyContext;

/* What inspect found out that is worth telling. */
typedef struct ProxyReport {
    char summary[256];  /* "PgBouncer 1.18.0: app at 10.0.0.1:5432, transaction pooling, 12 clients" */
    char warning[1024]; /* or "" */
    char probe[512];    /* connection string through the proxy, with password: never to be shown. "" when none
                          works */
    int port;           /* where clients come in, when several processes listen there; else 0 */
    int processes;      /* … and how many they are */
} ProxyReport;

/*
 * One check of inspect has ended with status: what it found is told to context->problem, so that the next can be made. Returns
 * -1, with error as it was, where nobody listens, and for what ends an inspection: the proxy is gone, or the operator ends it.
 */
int proxy_found(const ProxyContext *context, int status, Error *error) MUST_CHECK;

/* One more sentence in report->warning. */
void proxy_warn(ProxyReport *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- what penstock proxy asks for, beside the cutover --- */

#define PROXY_PLACES 8

typedef enum ProxySplit { SPLIT_AS_IT_IS, SPLIT_ON, SPLIT_OFF } ProxySplit;

/* Where a database's clients are to be led: the whole of it, so that what is not named is not there afterwards. */
typedef struct ProxyWish {
    Endpoint primary;
    Endpoint replicas[PROXY_PLACES];
    size_t replica_count;
    Endpoint mirrors[PROXY_PLACES];
    size_t mirror_count;
    ProxySplit split;
    bool accept_prepared;      /* prepared statements although writes among them may go to replicas */
    const char *target_system; /* of the migration's target, which must not be a mirror; NULL: not known */
} ProxyWish;

typedef struct ProxyOperations {
    const char *name;
    const char *summary; /* for --help */
    bool holds;          /* false: clients are not held; fencing the source ends their sessions */
    bool
        holds_again; /* after release, hold and let_go may come again, and undoing point leads back to where clients came from */
    /* For that migration, whose name goes into what several of them may have in one file. */
    int (*open)(const ProxySpec *spec, const char *migration, const char *database, Proxy **out,
                Error *error);
    void (*close)(Proxy *proxy);
    /*
     * Reachable, configuration readable and replaceable, limits long enough, the target usable by its users. Clients notice
     * nothing; the configuration is as before afterwards, but may have been replaced and reloaded to see that this works.
     */
    int (*inspect)(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error);
    /* Fills report->probe as inspect does, for a run that carries on behind it; clients must not be held. "" when no user of
     * the proxy has a password that is known. */
    int (*find_probe)(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error);
    /* What restore needs, as a JSON object that the caller frees. */
    int (*remember)(Proxy *proxy, json_t **out, Error *error);
    /* Holds the clients: on return none of their transactions is open. On failure the caller calls let_go. */
    int (*hold)(Proxy *proxy, const ProxyContext *context, Error *error);
    /* Makes the proxy use context->to once it is released; on return nothing but release is left to do. */
    int (*point_at)(Proxy *proxy, const ProxyContext *context, Error *error);
    /*
     * A look at the other side before anybody is let go there, past the clients that are held. prepare_look, before the
     * hold, prepares ways for it that no client knows, which lead to context->to; *ways is an array without secrets that the
     * caller keeps and frees, empty when nobody is known to come as. look goes one of them, after point_at and within
     * limit_ms. end_look takes the ways away; it may come again, and from another process. All NULL: there is no such look.
     */
    int (*prepare_look)(Proxy *proxy, const ProxyContext *context, json_t **ways, Error *error);
    int (*look)(Proxy *proxy, const json_t *way, int limit_ms, ProbeAnswer *answer, Error *error);
    int (*end_look)(Proxy *proxy, Error *error);
    /* Undoes point_at, whole or half done. */
    int (*restore)(Proxy *proxy, const ProxyContext *context, const json_t *remembered, Error *error);
    /* Lets held clients go on: where point_at led them … */
    int (*release)(Proxy *proxy, const ProxyContext *context, Error *error);
    /* … or, on the way back, to the source. Does nothing when they are not held. */
    int (*let_go)(Proxy *proxy, Error *error);
    /* How long answers of its console, and of where its files are, may take from now on. NULL: it has none. */
    void (*limit)(Proxy *proxy, AnswerLimit limit);
    /* True when its process is known not to be there any more: nobody listens at its console on this very host. Then it holds
     * nobody, and leads where its files say once it is started again. NULL: that cannot be known. */
    bool (*has_ended)(const Proxy *proxy);
    /*
     * What leads where, as an array of {pool, database, mode, role, split, host, port, paused, active, waiting} that the
     * caller frees; split is null where there is no such thing.
     */
    int (*show)(Proxy *proxy, json_t **rows, Error *error);
    /*
     * Makes it so, and keeps how to go back beside the file; with dry_run only finds out what would change. *change, which
     * the caller frees, is {file, changes: [{table: [name…], key, before, after}]}; see change.h.
     */
    int (*set)(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error);
    /* Takes the last set back. */
    int (*set_back)(Proxy *proxy, bool dry_run, json_t **change, Error *error);
} ProxyOperations;

/* Reads the argument of --proxy. The caller frees *out with proxy_spec_free. */
int proxy_spec_parse(const char *text, ProxySpec *out, Error *error) MUST_CHECK;
void proxy_spec_free(ProxySpec *spec);

/* The same argument without the password of its console; "" for one that cannot be read. The caller frees it. */
char *proxy_spec_redact(const char *text);

/* The operations of spec->kind; NULL, with the known kinds in the error, when there are none. */
const ProxyOperations *proxy_operations(const ProxySpec *spec, Error *error) MUST_CHECK;

extern const ProxyOperations proxy_pgbouncer, proxy_pgcat, proxy_none;
