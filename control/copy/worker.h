/*
 * One of those who copy: takes jobs until none is left that nobody is at.
 */
#pragma once

#include "brake.h"
#include "copy.h"
#include "crew.h"
#include "jobs.h"
#include "relay.h"
#include "session.h"
#include "snapshots.h"

/* So many threads wait for work, at least: the number that work can be raised to that while they do. */
#define WORKERS_READY 32

typedef struct WorkerYard {
    const Copy *copy;
    Snapshots *snapshots;
    Brake *brake;
    RelayWatch *watches; /* by worker: worker_count() of them */
    const SchemaRoad *
        road; /* by which indexes are built of tables that are copied, while others are; NULL: they are not */
    bool
        large; /* the copy takes longer than a cycle, as it looks: they are built beside the stream from the first on */
    atomic_bool built_next; /* there may be one to build */
    atomic_int busy;        /* workers that are at a job */
} WorkerYard;

/* Fills in the brake and the watches of a yard whose copy is set, and frees them. */
void yard_fill(WorkerYard *yard);
void yard_clear(WorkerYard *yard);

/* How many threads a yard has. */
int worker_count(const Copy *copy);

/* The work of a crew's member whose context is a WorkerYard. Jobs that were done by then stay done. */
int worker_copy(const CrewMember *member, Error *error) MUST_CHECK;

/* Asks the target which of the workers' COPYs it has refused, and tells them. A few times a second is soon enough. */
int worker_watch(const WorkerYard *yard, Database *target, Error *error) MUST_CHECK;

/* A connection to the target for the copy's work, on which no trigger fires. */
int worker_open_target(const Copy *copy, SessionKind kind, const char *encoding, Database **out,
                       Error *error) MUST_CHECK;

/*
 * Within a transaction: makes the index of the replica identity of penstock.relation.id by sql, if that object of the schema
 * still waits to be made, and notes that it is.
 */
int worker_make_key(Database *target, const char *relation, const char *sql, const SessionWait *wait,
                    Error *error) MUST_CHECK;
