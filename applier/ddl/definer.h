/*
 * Definer: runs the DDL of a batch on the target, in one transaction with the lanes' positions and with what is written down of it.
 *
 *     definer_new ──► definer_run for each BATCH_DDL ──► definer_free            one thread, but for definer_cut
 *
 * It has a connection of its own, made with the first statement, because a worker's has settings for rows.
 */
#pragma once

#include <stdint.h>

#include "batch.h"
#include "error.h"
#include "log.h"

typedef struct Definer Definer;

typedef struct DefinerOptions {
    const char *target; /* connection string; borrowed, as the others */
    const char *migration;
    int64_t epoch;
    const Log *log;
} DefinerOptions;

Definer *definer_new(const DefinerOptions *options);
void definer_free(Definer *definer);

/*
 * 0: what came of it is durable, whether it ran, was left out or skipped. ERROR_STATE when the operator has to decide: then
 * nothing has changed but penstock.ddl, which says so. Any other error, of the connection for instance, has changed nothing.
 */
int definer_run(Definer *definer, const Batch *batch, Error *error) MUST_CHECK;

/* Cuts the connection: whoever waits for the server goes on at once. Any thread. */
void definer_cut(Definer *definer);
