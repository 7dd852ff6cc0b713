/*
 * A pass of verify, kept in the target's state: what is compared, in pieces that anybody may take, and what came of it.
 *
 *     pass_begin ──► pass_take, the work, pass_done … ──► pass_end
 *                       └ fails, or the process dies: the piece is free again
 *
 * A piece is taken by a lock on its row that lives as long as the transaction on the connection that took it: what died lets go
 * by itself, and nothing has to be cleaned up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "compare.h"
#include "database.h"
#include "jobs.h"
#include "pairs.h"

typedef struct Pass {
    char id[24]; /* penstock.verify_pass.id, as text: it is only ever given to the server */
    int64_t jobs, jobs_left;
    int64_t bytes, bytes_left;
    bool resumed;
} Pass;

typedef struct PassJob {
    char number[16]; /* penstock.verify_job.number, as text */
    int64_t bytes;
    char first_key[JOBS_KEY_SIZE],
        last_key[JOBS_KEY_SIZE]; /* "" where it is open, or all of it is compared */
    PGresult *tables;            /* a row each: PASS_RELATION … */
} PassJob;

enum {
    PASS_RELATION,
    PASS_SCHEMA,
    PASS_TABLE,
    PASS_PART_COLUMN,
    PASS_PART_TYPE,
    PASS_PART_SCAN,
    PASS_CONDITION,
    PASS_ROW_BYTES, /* of one row, about */
    PASS_WAITS,     /* why it waits to be copied, or null */
};

/* What is to be compared. */
typedef struct PassScope {
    const char *migration;
    const char *words; /* by which an interrupted pass is known again; "": all */
    const char *match; /* which tables: an SQL condition over r, penstock.relation, or NULL */
    int sample;        /* of 10,000 rows; 0: all */
    bool anew;         /* an interrupted pass is not gone on with */
} PassScope;

/* Begins a pass, or goes on with the one that was interrupted, when that had the same scope and began within a day. */
int pass_begin(Database *target, const PassScope *scope, Pass *out, Error *error) MUST_CHECK;

/* The pass that somebody leads now, for who compares along; *found is false when there is none. *sample as in VerifyOptions. */
int pass_find(Database *target, const char *migration, Pass *out, int *sample, bool *found,
              Error *error) MUST_CHECK;

/* Whether there is a piece that nobody is at. */
int pass_any_free(Database *target, const Pass *pass, bool *any, Error *error) MUST_CHECK;

/* Counts what is done and what is left of it, by whomever. */
int pass_count(Database *target, Pass *pass, Error *error) MUST_CHECK;

/* Opens a transaction and takes a piece that nobody is at; *found is false, and nothing open, when there is none. */
int pass_take(Database *target, const Pass *pass, PassJob *out, bool *found, Error *error) MUST_CHECK;
void pass_job_free(PassJob *job);

/* Notes what was found, and ends the transaction of pass_take: the piece is done. */
int pass_done(Database *target, const Pass *pass, const PassJob *job, const CompareTable *found,
              Error *error) MUST_CHECK;

/* A difference that is none of rows. key may be NULL, source and target_value where it is not there. */
int pass_note(Database *target, const Pass *pass, const char *kind, const char *object, const char *key,
              const char *source, const char *target_value, Error *error) MUST_CHECK;

/* Sums up. */
int pass_end(Database *target, const Pass *pass, const PairsSummary *pairs, Error *error) MUST_CHECK;
