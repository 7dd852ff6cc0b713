/*
 * What the files of the pgcat adapter share: adapter.c has the operations, inspect.c the checks beforehand,
 * shown.c what the console shows, held.c what is kept beside the file while clients are held, and the gate.
 * Private to this folder.
 *
 * "State" is what stands in FILE.penstock-gate: a plan of plan.h with the gate's port and, from point_at on, where
 * to go on.
 */
#pragma once

#include "console.h"
#include "proxy.h"

struct Proxy {
    Console console;
    char *uri;
    char *config;
    char *database; /* of the source */
    char *pool;     /* only this one; NULL: every one that serves the database */
    char *state;    /* FILE.penstock-gate */
    char *gate_log; /* FILE.penstock-gate.log */
};

/* The text under key; "" when there is none. */
const char *pgcat_text(const json_t *object, const char *key);

/* The checks before a hold; see proxy.h. */
int pgcat_inspect(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error) MUST_CHECK;

int pgcat_find_probe(Proxy *proxy, const ProxyContext *context, ProxyReport *report, Error *error) MUST_CHECK;

/* For penstock proxy; see proxy.h. */
int pgcat_show(Proxy *proxy, json_t **rows, Error *error) MUST_CHECK;
int pgcat_set(Proxy *proxy, const ProxyWish *wish, bool dry_run, json_t **change, Error *error) MUST_CHECK;
int pgcat_set_back(Proxy *proxy, bool dry_run, json_t **change, Error *error) MUST_CHECK;

/* The connect timeout of pools whose clients are held. */
int pgcat_timeout_ms(const ProxyContext *context);

/* --- what is kept beside the file --- */

/* The caller frees *state; it is NULL when nobody is held. */
int pgcat_load_state(Proxy *proxy, json_t **state, Error *error) MUST_CHECK;
int pgcat_save_state(Proxy *proxy, const json_t *state, Error *error) MUST_CHECK;

/* The file's text and the plan for it; the caller frees both. */
int pgcat_read_plan(Proxy *proxy, char **text, json_t **plan, Error *error) MUST_CHECK;

int pgcat_gate_port(const json_t *state);

/* Makes sure of a gate that answers on the port of state. */
int pgcat_need_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;

/* The same of one that holds: a gate that an undo has opened already is left to end, and another takes its place. */
int pgcat_need_holding_gate(Proxy *proxy, json_t *state, Error *error) MUST_CHECK;

/* --- what pgcat shows --- */

/* That the plan is what pgcat does now, and that none of its pools is paused. */
int pgcat_check_shown(Proxy *proxy, const json_t *plan, Error *error) MUST_CHECK;

/* Makes pgcat use the text, which leads to where. first: what stands in the file now is to be kept. */
int pgcat_apply(Proxy *proxy, const json_t *plan, const char *text, const Endpoint *where, bool first,
                Error *error) MUST_CHECK;

/* RELOAD; what it replies when it refuses. */
int pgcat_reload(Proxy *proxy, Error *error) MUST_CHECK;

/* Waits until none of pgcat's servers is at work, twice in a row. */
int pgcat_drain(Proxy *proxy, const json_t *plan, const ProxyContext *context, Error *error) MUST_CHECK;
