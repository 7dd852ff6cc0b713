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

typedef struct CutoverOptions {
    const char *proxies[MAX_PROXIES];
    size_t proxy_count;
    const char *target_address; /* HOST:PORT as the proxy reaches the target, or NULL */
    const char *probe;          /* connection string through the proxy, or NULL: found out */
    double drain_limit;         /* seconds; 0 in any of these: the default */
    double hold_limit;
    double max_transaction_age;
    int64_t max_lag; /* bytes */
    int jobs;        /* of the comparison */
    CutoverMode mode;
    bool verify;
    bool yes;
} CutoverOptions;

typedef enum StepNumber {
    CUTOVER_PREFLIGHT,
    CUTOVER_HOLD,
    CUTOVER_DRAIN,
    CUTOVER_FENCE,
    CUTOVER_POSITION,
    CUTOVER_CATCH_UP,
    CUTOVER_SEQUENCES,
    CUTOVER_SNAPSHOT,
    CUTOVER_POINT,
    CUTOVER_RELEASE,
    CUTOVER_PROBE,
    CUTOVER_SWITCHED,
    CUTOVER_STEPS,
} StepNumber;

typedef struct CutoverProxy {
    ProxySpec spec;
    const ProxyOperations *operations;
    Proxy *proxy;
    ProxyReport report;
} CutoverProxy;

typedef struct Cutover {
    const Settings *settings;
    const CutoverOptions *options;
    Database *source;
    Database *target;
    Database *snapshot_holder; /* keeps the exported snapshot of the switch point alive */
    Database *guard;           /* keeps small tables from being emptied until they are compared; NULL then */
    char snapshot[64];         /* "" when none was taken */
    Migration migration;
    CutoverProxy proxies[MAX_PROXIES];
    size_t proxy_count;
    bool holds; /* some proxy holds its clients */
    ProxyContext context;
    char target_system[32];
    Lsn final_lsn;
    int64_t hold_started; /* clock_ms, 0 before */
    int64_t hold_ended;
    char note[512]; /* what the step under way has to say */
    json_t *told;   /* array: the steps, for --json */
} Cutover;

extern const Step cutover_steps[CUTOVER_STEPS];

/* Seconds that the step may take; 0 where nothing waits. */
double cutover_limit(const Cutover *cutover, StepNumber step);

/* Milliseconds until clients have been held for as long as they may; ERROR_LIMIT when that has passed. */
int cutover_hold_left(const Cutover *cutover, int *left_ms, Error *error) MUST_CHECK;

/* True when a signal asked us to stop. */
bool cutover_interrupted(void);

/* The checks before anything is touched. */
int cutover_preflight(Cutover *cutover, Error *error) MUST_CHECK;

/* Tells the operator of one event of a step. */
void cutover_tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error);

/* Prints the steps with all values filled in. */
void cutover_print_plan(const Cutover *cutover);

/* Opens the guard of the switch point's snapshot; see compare.h. */
int cutover_guard(Cutover *cutover, Error *error) MUST_CHECK;

/* Compares the snapshot of the switch point with the fenced source and prints the table; *different is the
 * answer. */
int cutover_verify(Cutover *cutover, json_t **out, bool *different, Error *error) MUST_CHECK;
