/*
 * The queue of work: penstock.job on the target. PostgreSQL is the engine that hands it out, to the threads of one process
 * and to the processes of many hosts alike.
 *
 *     jobs_claim ──► BEGIN ──► jobs_hold ──► the work ──► jobs_copied ──► COMMIT
 *                      │                       └ fails: ROLLBACK, jobs_return
 *                      └ somebody else has it by now: ROLLBACK
 *
 * A claim is a transaction of its own, so that everybody sees who is at what. It is then held by a lock on its row for as
 * long as the transaction that does the work lives. A job that is claimed and that nobody holds belonged to a process that
 * died: it is claimed again.
 *
 * A claim costs the same however long the queue is: it looks from the rank that was claimed last on, by an index.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "database.h"
#include "error.h"

/* The longest key that a table is cut at, with its NUL. */
#define JOBS_KEY_SIZE 256

/* Where a claimer looks on; zeroed at first. */
typedef struct JobsCursor {
    int rank;
} JobsCursor;

typedef enum JobKind { JOB_TABLE, JOB_TABLES, JOB_PART } JobKind;

typedef struct Job {
    int64_t id;
    JobKind kind;
    int rank; /* in the queue */
    /* Of a part: as the type's output function writes them; "" where it is open. */
    char first_key[JOBS_KEY_SIZE], last_key[JOBS_KEY_SIZE];
    bool anew; /* rows have to be removed first */
    int64_t source_bytes;
    char token[64]; /* of the claim */
} Job;

typedef struct JobsTotals {
    int64_t tables, tables_done;
    int64_t source_bytes, source_bytes_done;
    int64_t rows, bytes;   /* copied */
    int64_t left, waiting; /* jobs that are not done; of them, those that nobody is at */
    int64_t snapshots;     /* under so many different ones the jobs were done */
} JobsTotals;

int jobs_totals(Database *target, const char *migration, JobsTotals *out, Error *error) MUST_CHECK;

/* How many jobs are not done. */
int jobs_left(Database *target, const char *migration, int64_t *out, Error *error) MUST_CHECK;

/* Whether there is one that nobody is at. */
int jobs_any_free(Database *target, const char *migration, bool *found, Error *error) MUST_CHECK;

/* Claims the first job that nobody is at; *found is false when there is none. */
int jobs_claim(Database *target, const char *migration, JobsCursor *cursor, Job *out, bool *found,
               Error *error) MUST_CHECK;

/* Within the transaction that does the work: *held is false when it is somebody else's, or done. */
int jobs_hold(Database *target, const Job *job, bool *held, Error *error) MUST_CHECK;

/*
 * The tables of a job: a row each with id, schema, name, columns (quoted, with commas between), in_binary, condition, key_sql,
 * part_column, source_bytes, source_columns, route_schema, route_table, column_types, part_type, part_scan, source_oid. The caller frees *rows.
 */
int jobs_relations(Database *target, const Job *job, PGresult **rows, Error *error) MUST_CHECK;

/*
 * In the transaction that did the work: whole tables, of a job of the first two kinds, are copied under the snapshot of that
 * number. Parallel array literals: penstock.relation.id, rows, bytes.
 */
int jobs_tables_copied(Database *target, const char *migration, int snapshot, const char *relations,
                       const char *rows, const char *bytes, Error *error) MUST_CHECK;

/* In the same transaction, at its end: the job is done. */
int jobs_done(Database *target, const Job *job, int snapshot, int64_t rows, int64_t bytes,
              Error *error) MUST_CHECK;

/* After a rollback: the job may be claimed again, and is shown with why it failed. */
int jobs_return(Database *target, const Job *job, const char *why, Error *error) MUST_CHECK;
