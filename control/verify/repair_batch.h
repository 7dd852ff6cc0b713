/*
 * Some rows of one table, repaired at one point.
 */
#pragma once

#include "compare.h"
#include "database.h"
#include "verify.h"

typedef struct RepairTable {
    const char *schema, *name;
    const char *columns; /* that are copied: quoted, with commas between */
    bool binary;         /* they travel in binary */
} RepairTable;

typedef struct RepairBatch {
    const Verify *verify;
    Database *source, *target; /* the sessions that repair */
    const RepairTable *table;
    const CompareTable *found; /* with keys and their parts */
    int64_t repaired;          /* comes out */
} RepairBatch;

/* A PairsWork whose context is a RepairBatch. */
int repair_batch(void *batch, const char *exported, int64_t point, Error *error) MUST_CHECK;
