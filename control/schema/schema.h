/*
 * The schema's road from the source to the target: what must be there before the rows (pre-data), and what is better made
 * after them (post-data: indexes, constraints, triggers, rules, materialized views' contents).
 *
 *     pg_dump ──► archive in memory ──► pg_restore --file=- ──► script.h: objects ──► made one by one
 *
 * The statements are pg_restore's, the sessions that run them are ours. So an object that the target refuses is known with
 * the server's words, and the rest goes on. Nothing is ever dropped: what is made is written down with it, in the same
 * transaction, in penstock.schema_object, and anything else that is in the way stays, and refuses the object of that name.
 *
 * Post-data is kept there from the first dump on: what changes at the source afterwards is not its matter.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "database.h"
#include "error.h"
#include "left_behind.h"
#include "tablespaces.h"

/* Objects as a person names them: "FK CONSTRAINT public.child child_p_fkey", or without the kind; * and ? as in a shell. */
typedef struct SchemaPatterns {
    const char *const *patterns;
    size_t count;
} SchemaPatterns;

typedef struct SchemaOptions {
    bool no_owner;
    bool no_privileges;
    bool no_tablespaces;
    const Tablespaces *tablespaces; /* where what is in one goes; NULL: into one of its name */
    bool
        rows_differ; /* the tables do not agree with each other yet: what looks at several of them, or acts on rows, is left for another call */
    bool
        beside; /* the stream goes on meanwhile: nothing may lock it out of a table for longer than a moment. Indexes are built
                   concurrently, constraints are added NOT VALID and validated afterwards */
    const char *
        memory; /* maintenance_work_mem of the sessions that build, as the server reads it; NULL: 256 MB, or what the server has if that is more */
    int parallel; /* processes that build one index: max_parallel_maintenance_workers and one more; 0: as the server has it */
    SchemaPatterns leave_out; /* not made at all */
    SchemaPatterns not_valid; /* constraints that are made without a look at the rows that are there */
} SchemaOptions;

/* What the work is done with, and whom to tell; all of it is borrowed. The functions may be NULL. */
typedef struct SchemaRoad {
    const char *source_uri; /* connection strings for sessions and programs, or NULL: libpq's defaults */
    const char *target_uri;
    const char *migration;     /* in the sessions' application_name */
    Database *source;          /* for catalogs */
    Database *target;          /* for catalogs and state */
    const LeftBehind *left;    /* what stays behind, and is hidden in source; NULL: nothing */
    const char *snapshot;      /* exported at the source, to dump under; NULL: pg_dump takes its own */
    const struct Tools *tools; /* pg_dump and pg_restore that were found; NULL: they are looked for */
    int jobs;                  /* sessions that make post-data objects at a time */
    SchemaOptions options;
    void (*idle)(
        void *context); /* a few times a second while a program or a crew runs; on the calling thread */
    void (*doing)(void *context, int job,
                  const char *object); /* what a session makes now, NULL for nothing; any thread */
    void (*refused)(void *context, const char *object, const char *words); /* by the server; any thread */
    /* The target's disk has no room for object, which waits until there is; with each try, any thread. NULL: nothing waits. */
    void (*no_room)(void *context, int job, const char *object, const char *words);
    void (*counted)(void *context, size_t done,
                    size_t of); /* objects of pre-data that have been tried; on the calling thread */
    /*
     * For what looks at the rows of several tables, or NULL where these agree with each other all the time: enter waits until they
     * do, and keeps it so until the session (pid on the target) has taken its snapshot, or until leave, whichever comes first;
     * with whole, until leave. -1 when it will not be.
     */
    int (*enter)(void *context, int job, int pid, bool whole, Error *error);
    void (*leave)(void *context, int job);
    void *context;
} SchemaRoad;

/*
 * Dumps the source's schema and makes what must be there before the rows. An earlier run may have begun this. Objects that
 * are refused are written down and left for later; without a table that is refused no row can be copied, so then it ends
 * with ERROR_TARGET when all have been tried, and what it made is gone again, or written down as made where it was too much
 * for one transaction.
 */
int schema_restore_pre_data(const SchemaRoad *road, Error *error) MUST_CHECK;

/* Makes what is left of post-data, but for options.rows_differ. What is refused is written down and left for later. */
int schema_restore_post_data(const SchemaRoad *road, Error *error) MUST_CHECK;

/*
 * While the stream stands at one point: of what is left, all that takes only a moment; constraints are added NOT VALID. Triggers
 * and rules are among it.
 */
int schema_restore_quick(const SchemaRoad *road, Error *error) MUST_CHECK;

/* Looks at the rows of constraints that were added NOT VALID by the functions above. */
int schema_validate(const SchemaRoad *road, Error *error) MUST_CHECK;

/*
 * Builds one index that is not unique, of a table whose rows are there, while others are still copied; *built is false when
 * there is none. session is of schema_open_builder, and job its number for road->doing.
 */
int schema_build_early(const SchemaRoad *road, Database *session, int job, const atomic_bool *stop,
                       bool *built, Error *error) MUST_CHECK;

/* What of the server's a session uses that builds: options.memory and options.parallel. */
int schema_set_resources(const SchemaOptions *options, Database *session, Error *error) MUST_CHECK;

/*
 * An index that is built next may take so many processes more at most; local: within the transaction, else by the session. What
 * options.parallel says goes first.
 */
int schema_spare(const SchemaOptions *options, Database *session, int processes, bool local,
                 Error *error) MUST_CHECK;

/* The caller closes *out. */
int schema_open_builder(const SchemaRoad *road, Database **out, Error *error) MUST_CHECK;

/*
 * Once more what was refused, as the source has it now; objects that are gone there are forgotten. To be called when the
 * rows have been copied.
 */
int schema_restore_refused(const SchemaRoad *road, Error *error) MUST_CHECK;

/* Whether an earlier run has made objects that stay, with pre-data not yet done. */
int schema_made(Database *target, const char *migration, bool *made, Error *error) MUST_CHECK;

/*
 * Rows (object, why) of foreign keys, views and others that are left out, or made NOT VALID, for what stays behind: not what
 * belongs to a relation that does. The caller frees *rows with PQclear.
 */
int schema_left(Database *target, const char *migration, PGresult **rows, Error *error) MUST_CHECK;

/*
 * Rows (object, words, known) of what was refused so far; known is 1 when the trial of the check had been refused it, too, and that
 * was accepted, else 0. The caller frees *rows with PQclear.
 */
int schema_refused(Database *target, const char *migration, PGresult **rows, Error *error) MUST_CHECK;
