/*
 * The rows of one job, from the source to the target, within the transactions that its worker has begun on both ends.
 *
 *     source   … snapshot ──► lock, check ──► COPY TO ─────┐ … COMMIT
 *     target   … hold, join ──► clear ──► COPY FROM ◄──────┘ ──► index of the key ──► done ──► … COMMIT, by the worker
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
    SessionWait wait;
    TableFit fit; /* of the last table: whether it can be read under the snapshot */
} Carrier;

/*
 * The tables of the job, and that it is done. Fails, with fit to say why, where a table cannot be read under the snapshot. The
 * source's transaction is over when this has succeeded.
 */
int carry_job(Carrier *carrier, const Job *job, int snapshot, Error *error) MUST_CHECK;

/*
 * Within a transaction: makes the index of the replica identity of penstock.relation.id by sql, if that object of the schema
 * still waits to be made, and notes that it is.
 */
int carry_make_key(Database *target, const char *relation, const char *sql, const SessionWait *wait,
                   Error *error) MUST_CHECK;
