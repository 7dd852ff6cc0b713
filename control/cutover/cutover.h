/*
 * What the steps of a cutover share: options, connections, what was found out, what is told. Private to this
 * folder.
 *
 * Everything here belongs to one thread. steps.c fills and uses it, command.c makes and frees it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "compare.h"
#include "database.h"
#include "machine.h"
#include "proxy.h"
#include "state.h"

#define MAX_PROXIES 8

typedef enum CutoverMode { CUTOVER_RUN, CUTOVER_PLAN, CUTOVER_RESUME, CUTOVER_UNDO } CutoverMode;

struct Cutover;

typedef struct CutoverOptions {
    const char *proxies[MAX_PROXIES];
    size_t proxy_count;
    const char *address;          /* HOST:PORT where the proxy reaches the side that is gone to, or NULL */
    const char *reverse_conninfo; /* the target as the source reaches it, or NULL: as --target says */
    const char *probe;            /* connection string through the proxy, or NULL: found out */
    double drain_limit;           /* seconds; 0 in any of these: the default */
    double hold_limit;
    double max_transaction_age;
    int64_t max_lag; /* bytes */
    int jobs;        /* of the comparison */
    CutoverMode mode;
    bool verify;
    bool yes;
    bool no_reverse;
    bool accept_loss; /* of updates and deletes that cannot come back */
} CutoverOptions;

#define MAX_STEPS 20

/* The one way or the other: what differs between them. */
typedef struct Road {
    const char *operation; /* in the journal; the command's name */
    const char *from;      /* "source": the side that clients leave, as people call it … */
    const char *to;        /* … and the side that they go to */
    DatabaseEnd leaving;
    const Step *steps;
    int count;
    Phase begins; /* the phase in which it may begin … */
    Phase ends;   /* … and the one after it */
    int (*preflight)(struct Cutover *cutover, Error *error);
} Road;

typedef struct CutoverProxy {
    ProxySpec spec;
    const ProxyOperations *operations;
    Proxy *proxy;
    ProxyReport report;
} CutoverProxy;

typedef struct Cutover {
    const Settings *settings;
    const CutoverOptions *options;
    const Road *road;
    Database *source;
    Database *target;   /* which holds the state, whatever the road */
    Database *leaving;  /* one of the two … */
    Database *entering; /* … and the other */
    char *reverse_conninfo;
    Database *snapshot_holder; /* keeps the exported snapshot of the switch point alive */
    Database *guard;           /* keeps small tables from being emptied until they are compared; NULL then */
    char snapshot[64];         /* "" when none was taken */
    Database *source_holder;   /* the same of the source, which the way back changes after the release */
    char source_snapshot[64];
    Migration migration;
    CutoverProxy proxies[MAX_PROXIES];
    size_t proxy_count;
    bool holds; /* some proxy holds its clients */
    ProxyContext context;
    char entering_system[32];
    Lsn final_lsn;
    int64_t hold_started; /* clock_ms, 0 before */
    int64_t hold_ended;
    char note[512]; /* what the step under way has to say */
    json_t *told;   /* array: the steps, for --json */
} Cutover;

extern const Road road_cutover, road_rollback;

/* Seconds that the step may take; 0 where nothing waits. */
double cutover_limit(const Cutover *cutover, const Step *step);

/* Sets the words that a step has to say. */
void cutover_note(Cutover *cutover, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Milliseconds until clients have been held for as long as they may; ERROR_LIMIT when that has passed. */
int cutover_hold_left(const Cutover *cutover, int *left_ms, Error *error) MUST_CHECK;

/* True when a signal asked us to stop. */
bool cutover_interrupted(void);

/* The checks before anything is touched. */
int cutover_preflight(Cutover *cutover, Error *error) MUST_CHECK;
int rollback_preflight(Cutover *cutover, Error *error) MUST_CHECK;

/* Tells the operator of one event of a step. */
void cutover_tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error);

/* Prints the steps with all values filled in. */
void cutover_print_plan(const Cutover *cutover);

/* Opens the guard of the switch point's snapshot; see compare.h. */
int cutover_guard(Cutover *cutover, Error *error) MUST_CHECK;

/* Compares the snapshot of the switch point with the fenced source and prints the table; *different is the
 * answer. */
int cutover_verify(Cutover *cutover, json_t **out, bool *different, Error *error) MUST_CHECK;
