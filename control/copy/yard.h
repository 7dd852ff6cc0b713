/*
 * What the workers of one process share (worker.h), and their work from the first job to the last.
 */
#pragma once

#include "brake.h"
#include "copy.h"
#include "crew.h"
#include "governor.h"
#include "relay.h"
#include "snapshots.h"

/* So many threads wait for work, at least: the number that work can be raised to that while they do. */
#define WORKERS_READY 32

/*
 * Indexes of tables from this size on, or of which a part is, are built while others are copied. Of smaller ones none is built by
 * several processes (min_parallel_table_scan_size).
 */
#define LARGE_BYTES (8 << 20)

typedef struct WorkerYard {
    const Copy *copy;
    Snapshots *snapshots;
    Brake *brake;
    RelayWatch *watches; /* by worker: yard_size() of them */
    const SchemaRoad *
        road; /* by which indexes are built of tables that are copied, while others are; NULL: they are not */
    bool
        large; /* the copy takes longer than a cycle, as it looks: they are built beside the stream from the first on */
    atomic_bool built_next; /* there may be one to build */
    atomic_int busy;        /* workers that are at a job */
    atomic_int building;    /* workers that build an index, or look for one */
    atomic_bool stop;       /* one of them has failed, or what is done beside them */
} WorkerYard;

/* Fills in the brake and the watches of a yard whose copy is set, and frees them. */
void yard_fill(WorkerYard *yard);
void yard_clear(WorkerYard *yard);

/* What sets the brake of a copy's yard; to be freed with governor_free. */
Governor *yard_governor(const WorkerYard *yard);

/* How many threads the yard of a copy has. */
int yard_size(const Copy *copy);

/*
 * How many of the sessions that may work have nothing to do: so many more processes may an index take that is built now. While
 * rows are carried they would else take the processors from those.
 */
int yard_spare(const WorkerYard *yard);

/* Asks the target which of the workers' COPYs it has refused, and tells them. A few times a second is soon enough. */
int yard_watch(const WorkerYard *yard, Error *error) MUST_CHECK;

/*
 * Runs crews until no job is left, those that others have taken included. idle is called a few times a second, with the yard,
 * on the calling thread; what fails there ends the work.
 */
int yard_work(WorkerYard *yard, CrewIdle idle, Error *error) MUST_CHECK;
