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
    SchemaPatterns leave_out; /* not made at all */
    SchemaPatterns not_valid; /* constraints that are made without a look at the rows that are there */
} SchemaOptions;

/* What the work is done with, and whom to tell; all of it is borrowed. The functions may be NULL. */
typedef struct SchemaRoad {
    const char *source_uri; /* connection strings for sessions and programs, or NULL: libpq's defaults */
    const char *target_uri;
    const char *migration;  /* in the sessions' application_name */
    Database *source;       /* for catalogs */
    Database *target;       /* for catalogs and state */
    const LeftBehind *left; /* what stays behind, and is hidden in source; NULL: nothing */
    const char *snapshot;   /* exported at the source, to dump under; NULL: pg_dump takes its own */
    int jobs;               /* sessions that make post-data objects at a time */
    SchemaOptions options;
    void (*idle)(
        void *context); /* a few times a second while a program or a crew runs; on the calling thread */
    void (*doing)(void *context, int job,
                  const char *object); /* what a session makes now, NULL for nothing; any thread */
    void (*refused)(void *context, const char *object, const char *words); /* by the server; any thread */
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

/* Rows (object, words) of what was refused so far. The caller frees *rows with PQclear. */
int schema_refused(Database *target, const char *migration, PGresult **rows, Error *error) MUST_CHECK;
