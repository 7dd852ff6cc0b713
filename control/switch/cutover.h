/*
 * What the steps of a cutover share: options, connections, what was found out, what is told. Private to this
 * folder.
 *
 * Everything here belongs to one thread. session.c fills and frees it, command.c drives it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "compare.h"
#include "database.h"
#include "machine.h"
#include "options.h"
#include "proxy.h"
#include "state.h"

#define MAX_STEPS 24

struct Cutover;

/* How a step is bounded: Step.limit. */
typedef enum LimitKind {
    LIMIT_NONE,
    LIMIT_DRAIN,     /* --drain-limit, while clients are held */
    LIMIT_FENCE,     /* FENCE_LIMIT_S */
    LIMIT_HOLD,      /* what is left of --hold-limit */
    LIMIT_SUBSCRIBE, /* SUBSCRIBE_LIMIT_S */
    LIMIT_PROBE,     /* PROBE_LIMIT_S */
    LIMIT_STREAMS,   /* STREAMS_LIMIT_S */
    LIMIT_WARM_UP,   /* --warm-up-limit */
} LimitKind;

#define FENCE_LIMIT_S 5.0
#define PROBE_LIMIT_S 10.0
#define SUBSCRIBE_LIMIT_S 0.2
#define STREAMS_LIMIT_S 20.0
#define END_STREAM_LIMIT_MS 3000

/* The one way or the other: what differs between them. */
typedef struct Road {
    const char *operation; /* in the journal; the command's name */
    const char *from;      /* "source": the side that clients leave, as people call it … */
    const char *to;        /* … and the side that they go to */
    DatabaseEnd leaving;
    const Step *steps;
    int count;
    int (*preflight)(struct Cutover *cutover, Error *error);
} Road;

typedef struct CutoverProxy {
    ProxySpec spec;
    const ProxyOperations *operations;
    Proxy *proxy;
    ProxyReport report;
} CutoverProxy;

typedef struct Ticker Ticker;

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
    char limit_text[32];
    json_t *told;   /* array: the steps, for --json */
    Ticker *ticker; /* redraws the line of the step under way; NULL without a terminal */
} Cutover;

extern const Road road_cutover, road_rollback;

/* Opens everything that a run needs: both servers, the migration and its lock, the proxies. */
int cutover_open(Cutover *cutover, Error *error) MUST_CHECK;
void cutover_close(Cutover *cutover);

/* Seconds that the step may take; 0 where nothing waits. */
double cutover_limit(const Cutover *cutover, const Step *step);

/* Sets the words that a step has to say. */
void cutover_note(Cutover *cutover, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Milliseconds until clients have been held for as long as they may; ERROR_LIMIT when that has passed. */
int cutover_hold_left(const Cutover *cutover, int *left_ms, Error *error) MUST_CHECK;

/* The checks before anything is touched. */
int cutover_preflight(Cutover *cutover, Error *error) MUST_CHECK;
int rollback_preflight(Cutover *cutover, Error *error) MUST_CHECK;

/* Tells the operator of one event of a step. */
void cutover_tell(void *context, const Step *step, StepEvent event, double elapsed, const Error *error);

/* "of 10 s", or "". */
void cutover_limit_text(const Cutover *cutover, const Step *step, char out[32]);

/* A warning for the operator, beside the line of the step under way. */
void cutover_warn(Cutover *cutover, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints the steps with all values filled in. */
void cutover_print_plan(const Cutover *cutover);

/* --dry-run: the checks, and what the hold would take. Changes nothing. */
ExitStatus cutover_dry_run(Cutover *cutover, Error *error) MUST_CHECK;

/* Opens the guard of the switch point's snapshot; see compare.h. */
int cutover_guard(Cutover *cutover, Error *error) MUST_CHECK;

/* Compares the snapshot of the switch point with the fenced source and prints the table; *different is the
 * answer. */
int cutover_verify(Cutover *cutover, json_t **out, bool *different, Error *error) MUST_CHECK;
