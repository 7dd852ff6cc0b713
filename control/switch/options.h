/*
 * The command lines of penstock cutover and penstock rollback, and what of them the checks before a switch depend on.
 */
#pragma once

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_PROXIES 32
#define MAX_HAND_OVER 16

typedef enum CutoverMode {
    CUTOVER_RUN,
    CUTOVER_PLAN,
    CUTOVER_DRY_RUN,
    CUTOVER_RESUME,
    CUTOVER_UNDO
} CutoverMode;

/* Zeroed before parsing. A number that was not given stays 0, until kept_fill (kept.h) says what it is. */
typedef struct CutoverOptions {
    const char *proxies[MAX_PROXIES];
    size_t proxy_count;
    const char *hand_over[MAX_HAND_OVER]; /* slots of other consumers */
    size_t hand_over_count;
    const char *address;          /* HOST:PORT where the proxy reaches the side that is gone to, or NULL */
    const char *reverse_conninfo; /* the target as the source reaches it, or NULL: as --target says */
    const char *probe;            /* connection string through the proxy, or NULL: found out */
    double drain_limit;           /* seconds */
    double hold_limit;
    double prepare_limit;
    double max_transaction_age;
    double warm_up_limit;
    int64_t max_lag; /* bytes */
    int jobs;        /* of the comparison */
    CutoverMode mode;
    bool verify;
    double
        require_verified; /* seconds within which a full pass of verify found no difference; 0: not asked for */
    double compare_limit; /* seconds of the hold in which what changed since that pass is compared */
    bool yes;
    bool no_reverse;
    bool warm_up;
    bool accept_loss;        /* of updates and deletes that cannot come back */
    bool accept_settings;    /* under which applications would find another server */
    bool accept_drift;       /* definitions that differ between the two sides */
    bool accept_left_behind; /* what the selection leaves behind */
    bool leave_readers;      /* the fence lets them in */
    bool no_helper;          /* nobody ends the hold when the command is killed */
    bool end_writers;        /* who would go on writing behind the fence is stopped, and not refused */
    const char *
        only_round; /* of a helper that ends a hold: what it may undo, as long as clients were not released */
    bool *over;     /* of the same: set when there is nothing to undo any more */
    bool unproven;  /* of a run that ends a cutover for a rollback: nobody looks through the proxy */
} CutoverOptions;

extern const struct argp cutover_argp, rollback_argp;

/* Of them, what the checks before a switch depend on, for commands that make them long before; input: CutoverOptions. */
extern const struct argp preflight_argp;
