/*
 * The applier's numbers since its process began, kept over runs of the pipeline, and what the reporter is told of them.
 */
#pragma once

#include "batch.h"
#include "counts.h"
#include "decoder.h"
#include "reporter.h"

#define RATE_LOOKS 6

/* The counters as they were at the last few looks, a second or more apart: rates are over what lies between. */
typedef struct RateLook {
    uint64_t usec;
    uint64_t transactions;
    uint64_t changes;
    uint64_t batches;
    uint64_t written;
    uint64_t wire_bytes;
    Lsn low_water;
    Lsn source;
} RateLook;

typedef struct RateWindow {
    RateLook looks[RATE_LOOKS]; /* the oldest first */
    int count;
} RateWindow;

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
    uint64_t retries;    /* of batches, by workers */
    uint64_t busy_usec;  /* that workers spent on batches */
    uint64_t runs;       /* of the pipeline */
    uint64_t wire_bytes; /* of frames that came, as they came */
    Lsn received;
    Lsn low_water;
    Lsn source; /* end of its WAL; LSN_INVALID: not known */
    int64_t commit_time;
    int64_t heartbeat_time;

    char notes[PLUGIN_NOTES_SIZE]; /* what the plugin says that it cannot do, "" for nothing */

    RateWindow window; /* forgotten when a run ends */
    Counts *counts;    /* made with the first run */
} PipelineTotals;

/* What is under way: all zero between runs. */
typedef struct PipelineLoad {
    size_t waiting; /* batches */
    size_t running;
    size_t memory; /* bytes */
} PipelineLoad;

/* A batch is durable; now_usec is monotonic, here and below. */
void totals_count(PipelineTotals *totals, const Batch *batch, uint64_t now_usec);

/* Takes a look for the rates. */
void totals_look(PipelineTotals *totals, uint64_t now_usec);

/* Nothing is applied from here on. */
void totals_end_run(PipelineTotals *totals);

/* What to report: state (a literal), the totals, the load. */
void totals_view(const PipelineTotals *totals, const char *state, const PipelineLoad *load,
                 ReporterView *out);

void totals_free(PipelineTotals *totals);
