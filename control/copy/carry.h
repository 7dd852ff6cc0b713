/*
 * The rows of one job, from the source to the target, within the transactions that its worker has begun on both ends.
 *
 *     source   … snapshot ──► lock, check ──► COPY TO ─────┐ … COMMIT
 *     target   … hold, join ──► clear ──► COPY FROM ◄──────┘ ──► indexes of the keys ──► done ──► … COMMIT, by the worker
 *
 * Each arrow is one way there and back for all tables of the job; each COPY of the target's is one more.
 *
 * TRUNCATE, and what rewrites a table, is not undone for a snapshot that was taken before: a table that this befell is read
 * under a later one.
 */
#pragma once

#include "jobs.h"
#include "oids.h"
#include "session.h"
#include "table.h"
#include "yard.h"

/* Of a worker; all of it is borrowed. */
typedef struct Carrier {
    WorkerYard *yard;
    int number; /* of the worker */
    Database *source, *target;
    Oids *oids;
    size_t known; /* by its sessions: SESSION_FULL */
    SessionWait wait;
    TableFit fit; /* whether the tables of the job can be read under the snapshot */
} Carrier;

/*
 * The tables of the job, and that it is done. Fails, with fit to say why, where a table cannot be read under the snapshot. The
 * source's transaction is over when this has succeeded.
 */
int carry_job(Carrier *carrier, const Job *job, int snapshot, Error *error) MUST_CHECK;

/* The index of the replica identity of a table (penstock.relation.id), and what makes it. */
typedef struct CarryKey {
    const char *relation;
    const char *sql; /* one statement */
    size_t number;   /* the caller's own */
} CarryKey;

/*
 * Within a transaction: makes those of the keys that are objects of the schema which still wait to be made, and notes that they are.
 * *at: which one an error is about.
 */
int carry_make_keys(Database *target, const CarryKey *keys, size_t count, const SessionWait *wait, size_t *at,
                    Error *error) MUST_CHECK;
