/*
 * One run of the pipeline: from opening the stream to the moment when it stops, for whatever reason. See run.h.
 *
 * Everything that it needs is made in it and gone when it returns. The next run starts from what is durable on the
 * target, which is the same road as after a crash.
 */
#pragma once

#include "catalog.h"
#include "options.h"
#include "registry.h"
#include "reporter.h"
#include "state.h"
#include "stop.h"
#include "totals.h"

typedef struct PipelineOptions {
    const ApplierOptions *applier;
    const Migration *migration;
    Database *target;    /* for the state, before the stream is open; borrowed */
    Registry *registry;  /* what is known of relations, kept over runs; borrowed */
    Catalog *catalog;    /* the same */
    size_t *batch_locks; /* that a batch may take on the target; 0: this run finds out. Kept over runs */
    Reporter *reporter;
    Stop *stop;
    bool *again; /* set when a run that ended well is to be followed by another at once: the copy went on */
    int *
        read_by; /* the source's process that read the slot in the last run, or 0; this run puts its own there */
} PipelineOptions;

/*
 * Runs until the signal (0), until --until is reached (0) or until something fails (-1). *streamed becomes true once
 * the stream was open, so that the caller can tell a start that failed from a run that ended.
 */
int pipeline_run(const PipelineOptions *options, PipelineTotals *totals, bool *streamed,
                 Error *error) MUST_CHECK;
