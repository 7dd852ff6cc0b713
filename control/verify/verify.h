/*
 * What the parts of `penstock verify` share.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "clients.h"
#include "command.h"
#include "governor.h"
#include "pair.h"
#include "pairs.h"
#include "pass.h"
#include "selection.h"
#include "state.h"

typedef struct VerifyOptions {
    int jobs;
    int cycle;        /* seconds after which another pair of snapshots is taken */
    int limit;        /* differing rows that are listed of each table */
    int hold_ms;      /* for which the applier may be held at a point */
    const char *rate; /* as given: bytes per second at most, of both sides alike; NULL: no bound of its own */
    int sample;       /* of 10,000 rows; 0: all */
    bool anew;        /* an interrupted pass is not gone on with */
    bool repair;
    bool join;
    bool full_speed;     /* clients that are at work are no reason to step back */
    Selection selection; /* of this comparison; empty: all that was copied */
    bool rows_only;      /* definitions, sequences and large objects are left out */
} VerifyOptions;

typedef struct Verify {
    const Settings *settings;
    const VerifyOptions *options;
    Migration migration;
    Database *source; /* for catalogs, and on the target the state; it has the lock of verify there */
    Database *target;
    Pairs *pairs;
    Pass pass;
    double began, shown_at;
    int64_t bytes_before; /* that earlier runs had compared */
    Brake *brake;         /* what slows this process down … */
    Governor *governor;   /* … and sets it, on the main thread */
    Clients clients;      /* for whom its sessions step back */
    atomic_bool stop;     /* for its workers */
    /* Of this run, by its workers. */
    _Atomic int64_t jobs_done, rows_done;
    _Atomic int64_t different; /* found so far */
} Verify;

/*
 * A session of verify: whatever it waits for, a signal ends that. session_last_words (session.h) is for what is to be put in order
 * all the same. The caller closes *out.
 */
int verify_connect(const Settings *settings, DatabaseEnd end, const char *purpose, Database **out,
                   Error *error) MUST_CHECK;

/* Opens both sessions of a pair, which say who keeps them waiting. The caller closes it with pair_close, whatever is returned. */
int verify_open_pair(Verify *verify, ComparePair *pair, Error *error) MUST_CHECK;

/* Between transactions: others in the place of sessions that are full (pair.h). Where none are to be had these serve on. */
void verify_renew_pair(Verify *verify, ComparePair *pair);

/* Says a line of a worker's, at once. context is the Verify. */
void verify_say(void *context, const char *line);

/* Whether --only and --exclude let this table or sequence be compared. */
bool verify_chooses(const Verify *verify, const char *schema, const char *name);

/* Pairs of snapshots for the pass: our own, or those of whoever leads it. */
int verify_open_pairs(Verify *verify, Error *error) MUST_CHECK;

/* Compares the pass's tables: returns when every piece is done, by whomever. */
int verify_rows(Verify *verify, Error *error) MUST_CHECK;

/* Sequences, large objects, definitions: differences go into the state. */
int verify_objects(Verify *verify, Error *error) MUST_CHECK;

/* Prints, or gives as JSON, what the pass came to; *equal says whether it found nothing. */
int verify_report(Verify *verify, bool *equal, Error *error) MUST_CHECK;

/* How far it is: one line, now and then. */
void verify_show(void *verify);

/* The same of what is not counted. */
void verify_show_what(Verify *verify, const char *what);
