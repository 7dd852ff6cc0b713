/*
 * The applier's numbers since its process began, kept over runs of the pipeline, and what the reporter is told of them.
 */
#pragma once

#include "batch.h"
#include "reporter.h"

typedef struct PipelineTotals {
    uint64_t transactions;
    uint64_t changes;
    uint64_t batches;
    uint64_t statements; /* sent to the target */
    uint64_t copies;     /* of them by COPY */
    uint64_t written;    /* rows written after reduction */
    uint64_t by_rows;    /* runs of changes of one table that had to be applied one by one after all */
    uint64_t conflicts;  /* changes that a policy settled, or that were skipped */
    uint64_t barriers;
    uint64_t truncates;
    uint64_t retries;   /* of batches, by workers */
    uint64_t busy_usec; /* that workers spent on batches */
    uint64_t runs;      /* of the pipeline */
    Lsn received;
    Lsn low_water;
    int64_t commit_time;

    /* Rates: between the two last looks that were a second apart. */
    uint64_t looked_usec;
    uint64_t looked_transactions;
    uint64_t looked_changes;
    double transactions_per_second;
    double changes_per_second;
} PipelineTotals;

/* What is under way: all zero between runs. */
typedef struct PipelineLoad {
    size_t waiting; /* batches */
    size_t running;
    size_t memory; /* bytes */
} PipelineLoad;

/* A batch is durable. */
void totals_count(PipelineTotals *totals, const Batch *batch);

/* Takes a look for the rates; now_usec is monotonic. */
void totals_look(PipelineTotals *totals, uint64_t now_usec);

/* What to report: state (a literal), the totals, the load. */
void totals_view(const PipelineTotals *totals, const char *state, const PipelineLoad *load,
                 ReporterView *out);
