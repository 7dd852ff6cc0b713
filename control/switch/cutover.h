/*
 * What the steps of a cutover share: options, connections, what was found out, what is told. Private to this
 * folder.
 *
 * Everything here belongs to one thread, but for what is done with many proxies at once (together.h): each such thread has its
 * own CutoverProxy, and reads the rest. session.c fills and frees it, command.c drives it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "compare.h"
#include "database.h"
#include "machine.h"
#include "moment.h"
#include "options.h"
#include "preflight.h"
#include "proxy.h"
#include "random.h"
#include "state.h"

#define MAX_STEPS 32

struct Cutover;

/* How a step is bounded: Step.limit. */
typedef enum LimitKind {
    LIMIT_NONE,
    LIMIT_DRAIN,   /* --drain-limit, while clients are held */
    LIMIT_FENCE,   /* FENCE_LIMIT_S */
    LIMIT_HOLD,    /* what is left of --hold-limit */
    LIMIT_PREPARE, /* --prepare-limit */
    LIMIT_PROBE,   /* PROBE_LIMIT_S */
    LIMIT_STREAMS, /* STREAMS_LIMIT_S */
    LIMIT_COUNT,   /* COUNT_LIMIT_S */
    LIMIT_WARM_UP, /* --warm-up-limit */
} LimitKind;

#define FENCE_LIMIT_S 5.0
#define PROBE_LIMIT_S 10.0
#define STREAMS_LIMIT_S 20.0
#define COUNT_LIMIT_S 60.0
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
    bool astray; /* it could not be led back: its clients are kept, since they would go to the wrong side */
    bool stuck;  /* its clients could not be let go */
    bool ended;  /* its process is not there any more: it holds nobody */
    bool told;   /* that it has ended was said */
} CutoverProxy;

typedef struct Ticker Ticker;
typedef struct Ledger Ledger;
typedef struct Watchdog Watchdog;
typedef struct Positions Positions;

/* Only the ledger knew that the round that was under way is over. */
typedef enum RoundOver { ROUND_OPEN, ROUND_ENDED, ROUND_UNDONE } RoundOver;

/* What a call may take depends on it: see reach.c. */
typedef enum Regime { REGIME_BEFORE, REGIME_HOLD, REGIME_AFTER, REGIME_UNDO, REGIMES } Regime;

typedef struct Cutover {
    const Settings *settings;
    const CutoverOptions *options;
    const Road *road;
    Database *source;   /* NULL: it does not answer, which only a run that carries on or goes back may meet */
    Database *target;   /* the same; it holds the state, whatever the road */
    Database *leaving;  /* one of the two … */
    Database *entering; /* … and the other */
    Regime regime;
    Regime source_regime, target_regime; /* that each server was told of last */
    bool is_holding;                     /* clients wait, or may */
    bool released;                       /* they have been let go where the road leads */
    int64_t early_writes;                /* to the target, before the release: see traffic.c */
    bool helper_goes_on;                 /* we could not undo all, and the helper tries */
    Watchdog *watchdog;                  /* ends the hold when we do not; NULL: there is none */
    char run[RANDOM_NAME_SIZE];          /* of this run alone; "" until it has the switch */
    bool taken;                          /* the state says that the switch is this run's … */
    bool lost;                           /* … and, later, that it is another's */
    Ledger *ledger;                      /* the journal's second place; NULL: there is none */
    bool source_gone;                    /* nor did it come back once clients had gone on */
    bool source_missed;                  /* it did not answer, and that was said */
    char unproven[512];   /* what could not be shown, though the road was gone to its end; "" else */
    bool nothing_defined; /* behind the fence it was seen that nothing was defined since the checks */
    Positions *positions; /* of sequences, as they were before clients were held; NULL: nobody has looked */
    RoundOver was_over;   /* as the last run left it, whose last lines the journal in the target lacked */
    bool behind;          /* the journal in the target lacks lines that the ledger has */
    json_t *kept;         /* how the round was called first, for a run that carries on; else NULL */
    StepRecord records[MAX_STEPS]; /* of the round that is under way */
    char source_system[32];
    char *reverse_conninfo;
    Moment moment;        /* of the switch, for the comparison; its names are "" when it was not kept */
    MomentKeeper *keeper; /* of that moment; NULL: there is none, or an earlier run has made it */
    Database *counting;   /* has a snapshot of the switch, for step_count; NULL: nothing is left to count */
    Database *guard;      /* keeps small tables from being emptied until they are compared; NULL then */
    Migration migration;
    CutoverProxy proxies[MAX_PROXIES];
    size_t proxy_count;
    bool holds; /* some proxy holds its clients */
    ProxyContext context;
    char entering_system[32];
    Lsn final_lsn;
    int64_t applier_gone_since; /* nobody has its lock; clock_ms, 0: somebody has */
    Lsn last_change;            /* where the applier's lanes stood when all was caught up */
    int64_t hold_started;       /* clock_ms, 0 before */
    int64_t hold_ended;
    char note[512]; /* what the step under way has to say */
    char limit_text[32];
    Preflight *preflight; /* while its checks run, who hears of what they find; else NULL */
    json_t *told;         /* array: the steps, for --json */
    Ticker *ticker;       /* redraws the line of the step under way; NULL without a terminal */
} Cutover;

extern const Road road_cutover, road_rollback;

/*
 * Opens what a run needs: both servers, the migration and its lock, what was done of the round, the proxies. A run that
 * carries on or goes back takes what its command line leaves open from the round, and goes with the server that is there.
 * options are those of cutover, which are filled.
 */
int cutover_open(Cutover *cutover, CutoverOptions *options, Error *error) MUST_CHECK;
void cutover_close(Cutover *cutover);

/* Parts of it, for who has other servers at hand: where the sides are, by the options; one proxy of them. */
int cutover_choose_sides(Cutover *cutover, Error *error) MUST_CHECK;
int cutover_open_proxy(Cutover *cutover, const char *text, Error *error) MUST_CHECK;
void cutover_close_proxies(Cutover *cutover);

/* Makes one connection, and sees that it is the right server; both sides' pointers follow. */
int cutover_connect(Cutover *cutover, DatabaseEnd end, QueryLimits limits, Error *error) MUST_CHECK;
void cutover_assign_sides(Cutover *cutover);

/* A hook of the machine: whom the step needs is there, and knows how long he may take. */
int cutover_reach(void *context, const Step *step, bool undoes, bool fresh, Error *error);
int cutover_reach_end(Cutover *cutover, DatabaseEnd end, bool fresh, Error *error) MUST_CHECK;

/* The identity of the round that is under way; "" before there is one. */
const char *cutover_round(const Cutover *cutover);

/* From here on clients wait: the clock of the hold runs, and every call ends with it. */
int cutover_begin_hold(Cutover *cutover, Error *error) MUST_CHECK;

/* Does the source answer? Its death after all was caught up is no reason not to go on; it is said once. */
bool cutover_source_answers(Cutover *cutover);

/* ERROR_STATE when the applier will come no further: ended, failed, silent, or trying again since more than two seconds. */
int cutover_check_applier(Cutover *cutover, const ApplierStatus *applier, int64_t began,
                          Error *error) MUST_CHECK;

/* Right before the hold: waits a while for the other side to be so close that catching up takes no time worth the name. */
int last_wait_until_close(Cutover *cutover, Error *error) MUST_CHECK;

/* The sessions that read sequences along with the one of the side that clients leave. */
struct PositionsHelp last_help(const Cutover *cutover);

/* At the end of the catch-up, keeps in detail where the lanes stand; no change has come from the source since. */
int prove_prepare(Cutover *cutover, json_t *detail, Error *error) MUST_CHECK;
int prove_nothing_behind(Cutover *cutover, Error *error) MUST_CHECK;

/* That what answered through the proxy is the side that is gone to, and takes writes. */
int look_check_answer(Cutover *cutover, const ProbeAnswer *answer, Error *error) MUST_CHECK;

/* Where both sides were equal, and the next stream begins; LSN_INVALID before that. */
Lsn ways_begin(const Cutover *cutover);

/* A proxy as its console is reached, without a password: "pgbouncer at 10.0.0.1:6432". */
void traffic_name(const CutoverProxy *proxy, char out[160]);

/* True, and marked, when its process is known not to be there any more. */
bool traffic_has_ended(CutoverProxy *proxy);

/* In the detail of the step publish: what reverse_published_at gave. */
#define WAYS_PUBLISHED "published_at"

/* For connections that a step makes itself. */
QueryLimits cutover_limits(const Cutover *cutover);

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

/* A warning for the operator, beside the line of the step under way; in the preflight, one of its findings. */
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
