/*
 * What the steps of `penstock copy` share: the options, two connections for catalogs and state, the
 * migration.
 *
 *     slot ──► schema ──► plan ──► data ──► large objects ──► post-data ──► sequences ──► analyze
 *
 * or, of a migration that was copied, once more the tables that the applier could not keep right, and the objects of
 * the schema that the target has refused:
 *
 *     again, objects
 *
 * Each step is journaled before and after, and may be run again from its start after any crash (steps.h).
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "capture.h"
#include "command.h"
#include "database.h"
#include "fit.h"
#include "left_behind.h"
#include "progress.h"
#include "options.h"
#include "schema.h"
#include "state.h"
#include "tools.h"
#include "trial.h"

#define MOST_PATTERNS 256

typedef struct CopyOptions {
    int jobs;
    int lanes;
    int slot_timeout; /* seconds to wait for the transactions that run when a slot is made */
    int cycle;        /* seconds after which jobs are done under a new snapshot */
    int part_mb;      /* a table of twice so much and more is copied in parts, where it can be */
    const char *
        read_from; /* connection string of a standby of the source, on which rows are read; NULL: the source */
    bool join;     /* copies along with one that runs, and does nothing else */
    bool follow;   /* goes on as the applier */
    const char *
        max_wal; /* that the source may keep while jobs are begun, as the target reads a size; NULL: as it is set */
    int stall_timeout; /* seconds without a byte after which a table's copy gives up */
    SchemaOptions schema;
    const char *leave_out[MOST_PATTERNS]; /* what schema's patterns lie in */
    const char *not_valid[MOST_PATTERNS];
    bool roles; /* those that the target lacks are made first */
    bool skip_large_objects;
    Selection selection;     /* of the command line; owned, as the next */
    Tablespaces tablespaces; /* schema's point here */
    DdlMode ddl;             /* DDL_UNSET: as the source allows */
    CutoverOptions ahead;    /* what the switch will be called with, for the check that comes first */
    bool force;              /* goes on despite the problems that it finds */
    bool no_trial;           /* it does not try the schema */
    LossyTables lossy; /* tables whose values may change on their way; the list is the command's to free */
} CopyOptions;

typedef struct Copy {
    const Settings *settings;
    CopyOptions *options;
    Database *source;
    Database *target; /* holds the migration's lock */
    Migration migration;
    Selection selection; /* the migration's; owned, as the next */
    LeftBehind left;     /* what stays behind by it; hidden in source */
    bool again;          /* all was copied once, and some tables wait to be copied again: only that is done */
    bool
        mend; /* all was copied once, and the target refused some objects of the schema: those are tried again */
    bool copied; /* all was, nothing is left to do, and the command is to go on as the applier */
    Progress *progress;
    struct Teller *teller; /* NULL before the first step; owned */
    Database *holder;      /* of the snapshot that the schema is dumped under, where DDL is captured */
    TrialEnd *trial_end;   /* of the check; NULL: there is none, or it was waited for */
    Tools tools;           /* that the check has found */
    json_t *accepted;      /* outcomes of the check with the problems that are gone on with; NULL: none */
} Copy;

/* Whether DDL is captured. */
bool copy_captures(const Copy *copy);

/*
 * ERROR_USAGE when source and target are one database. Takes the migration's lock: two that begin together would make, and drop,
 * the database of one trial. Before a new migration: penstock check. ERROR_STATE when it has found
 * problems, unless options->force says to go on; then they are to be remembered (copy_remember), once there is a state.
 */
int copy_look_first(Copy *copy, Error *error) MUST_CHECK;
int copy_remember(Copy *copy, Error *error) MUST_CHECK;

/*
 * The steps, in the order above. repeated: an earlier run began this one and did not come to its end, so that
 * anything from nothing to all of it may be there.
 */
int copy_step_slot(Copy *copy, bool repeated, Error *error) MUST_CHECK;

/* ERROR_STATE when the migration's slot was made, and is gone: before and after each step, for a copy may take days. */
int copy_check_slot(Copy *copy, Error *error) MUST_CHECK;
int copy_step_schema(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_plan(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_data(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_large(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_post_data(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_sequences(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_analyze(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_again(Copy *copy, bool repeated, Error *error) MUST_CHECK;
int copy_step_objects(Copy *copy, bool repeated, Error *error) MUST_CHECK;

/* ERROR_TARGET naming the objects of the schema that the target has refused, when there are any. */
int copy_check_objects(Copy *copy, Error *error) MUST_CHECK;
