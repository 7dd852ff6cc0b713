/*
 * What would go wrong, before anything is copied: a table of checks, one row each, that are run one after another and never stop
 * each other. What the cutover needs is asked of its own preflight (switch.c), so that it meets nothing new days later.
 *
 *     rows_*.c ──► run.c ──► outcomes (JSON, made by outcome.c) ──► print.c
 *     probes.c ──┤
 *     switch.c ──┘
 *
 * A row either holds SQL or names a function. SQL gives one row per finding: object, detail, fix (a statement
 * to run, or NULL). Where `gather` is set it runs on the source first and gives one JSON value, which is $1
 * of the SQL that then runs on the target: so both sides are compared in one set-based query, however many
 * objects there are.
 */
#pragma once

#include <jansson.h>

#include "arena.h"
#include "command.h"
#include "database.h"
#include "left_behind.h"
#include "tablespaces.h"
#include "options.h"
#include "schema.h"
#include "tools.h"
#include "trial.h"

typedef enum CheckStatus {
    CHECK_OK,
    CHECK_NOTE,     /* worth knowing */
    CHECK_WARNING,  /* works, but with a consequence that someone must accept */
    CHECK_PROBLEM,  /* the migration would fail, or lose something */
    CHECK_ERROR,    /* the check itself could not be made */
    CHECK_SKIPPED,  /* its server is not reachable, or it does not apply to these versions */
    CHECK_ACCEPTED, /* a problem that the operator has accepted for this migration (copy --force) */
    CHECK_STATUSES,
} CheckStatus;

#define CHECK_TRIAL "schema-trial" /* the id of the check that makes the schema once */

typedef enum CheckSide { ON_SOURCE, ON_TARGET } CheckSide;

enum { NEEDS_SOURCE = 1, NEEDS_TARGET = 2 };

/* What is asked for; all of it is borrowed. */
typedef struct CheckRequest {
    const Settings *settings;
    CutoverOptions *ahead;          /* how the cutover will be called; is filled */
    const Selection *selection;     /* what is moved, of the command line; NULL: all */
    const Tablespaces *tablespaces; /* the same; NULL: as they are */
    const SchemaOptions *schema;    /* how the copy will make the schema; NULL: as it is */
    const char *const
        *settled;  /* ids of checks that options of the copy have settled, up to NULL; NULL: none */
    bool no_trial; /* the schema is not to be tried */
    int part_mb;   /* how large the copy's parts of tables will be; 0: as they are */
    TrialEnd **
        trial_end; /* where to leave the end of the schema's trial, for the caller to wait for; NULL: it is waited for */
    Tools *tools; /* where to leave the pg_dump and pg_restore that were found; or NULL */
    /*
     * Called now and then, on the calling thread, by what may take long; `of` is how many objects the trial of the schema has, and
     * done how many of them have been tried; 0: it is about something else. NULL: nobody wants to know.
     */
    void (*idle)(void *context, size_t done, size_t of);
    void *context; /* of idle */
} CheckRequest;

/* In the place of a target database that is not there yet: another one of its server. */
typedef struct StandIn {
    bool stands;
    Settings settings; /* with target in the place of the one that was given */
    char *target;
    char *reverse_conninfo; /* the same for the one of the way back; NULL: none was given */
} StandIn;

typedef struct CheckContext {
    const Settings *settings;
    const CheckRequest *request;
    Database *source; /* NULL until it is connected, and when it cannot be */
    Database *target;
    StandIn stand_in;
    LeftBehind left;     /* what stays behind; hidden in source */
    bool same_database;  /* both lead to one database */
    TrialEnd *trial_end; /* NULL: there is no database of a trial */
    Tools tools;         /* of check_tools */
    bool plugin_waited;  /* the plugin could be loaded, but not be asked for its version in time */
    size_t constraints_left, toast_left; /* what the probes of rows had no time or no right for */
} CheckContext;

/* Adds findings with finding_add; fails only when the check cannot be made, or with check_skip. */
typedef int (*CheckFunction)(CheckContext *context, json_t *findings, Error *error);

typedef struct CheckRow {
    const char *id;       /* stable, for scripts */
    const char *title;    /* what is looked at */
    CheckStatus severity; /* of a finding */
    CheckSide side;       /* where sql runs */
    int removed_in;       /* 0, or: only when source < removed_in <= target, as majors */
    const char *gather;
    const char *sql;
    CheckFunction function;
    unsigned needs;     /* of function: NEEDS_… that must be connected */
    bool of_database;   /* it looks at the target database itself, not only at its server */
    const char *advice; /* what to do about its findings */
} CheckRow;

typedef struct CheckGroup {
    const char *title;
    const CheckRow *rows;
    size_t count;
} CheckGroup;

extern const CheckGroup check_server_rows, check_role_rows, check_table_rows, check_object_rows,
    check_target_rows, check_both_rows, check_left_rows, check_data_rows;

/* Calls the request's idle. */
void check_idle(const CheckRequest *request, size_t done, size_t of);

/* Finds pg_dump and pg_restore, once for a check: context->tools. Fails where there are none that fit the target. */
int check_tools(CheckContext *context, Error *error) MUST_CHECK;

/* The functions behind the rows that are no SQL: probes.c, plugin.c and money.c. */
int probe_left_behind(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_tablespaces(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_selection(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_source(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_target(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_versions(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_replication(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_plugin(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_plugin_version(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_session_role(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_same_database(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_money(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_programs(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_trial(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_trial_right(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_drift(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_target_empty(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;

int probe_migration_name(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;

/*
 * Those that look at rows, for a limited time (data_probe.c), at WAL (wal_probe.c), and at what text is sorted and searched by
 * (text_probe.c).
 */
int probe_uncut(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_constraints(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_large_values(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_not_looked_at(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_wal_rate(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_dictionaries(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;
int probe_collations(CheckContext *context, json_t *findings, Error *error) MUST_CHECK;

/* Connects context to the database that stands in, or to none; the caller frees context->stand_in in the end. In stand_in.c. */
void stand_in_find(CheckContext *context);
void stand_in_free(StandIn *stand_in);

/* The check does not apply, for this reason. Returns -1. */
int check_skip(Error *error, const char *why);

/* Adds {object, detail, fix} to findings; detail and fix may be NULL. A fix is one or more statements; it ends with ";". */
void finding_add(json_t *findings, const char *object, const char *detail, const char *fix);

/*
 * Runs every check. The result, which the caller owns, is an array of objects {id, group, title, status,
 * count, findings: [{object, detail, fix}], advice, error}, in the order of the tables. A finding of the cutover's preflight may
 * have a "hint", and a "severity" where that is less than its check's status; one that was accepted is "accepted": true.
 */
json_t *check_run(const CheckRequest *request);

/* The parts of it: what the cutover would refuse (switch.c); the problems that were accepted (accepted.c). */
void check_switch(CheckContext *context, json_t *outcomes);
void check_mark_accepted(CheckContext *context, json_t *outcomes);

/* Remembers the problems of outcomes as accepted for the migration, in the state on target. */
int check_accept(Database *target, const char *migration, const json_t *outcomes, Error *error) MUST_CHECK;

/* The group of those that check_switch adds. */
#define CHECK_SWITCH_GROUP "The switch"

/* An outcome with these findings, which it takes over; advice and error may be NULL. */
json_t *check_outcome(const char *id, const char *group, const char *title, CheckStatus status,
                      json_t *findings, const char *advice, const char *error);

const char *check_status_name(CheckStatus status);

/* How many outcomes have that status. */
size_t check_count(const json_t *outcomes, CheckStatus status);

/* 0 when no outcome is a problem or an error, else 1. */
ExitStatus check_exit_status(const json_t *outcomes);

typedef enum CheckExtent {
    CHECK_PROBLEMS_ONLY,
    CHECK_USUAL,      /* 20 findings of each kind, nothing of what was skipped */
    CHECK_EVERYTHING, /* all findings */
} CheckExtent;

/* Writes outcomes for people. */
void check_print(FILE *out, const json_t *outcomes, CheckExtent extent);
