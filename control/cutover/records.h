/*
 * What cutover reads from the state of the migration: the applier's word, the journal of earlier runs.
 */
#pragma once

#include "cutover.h"

typedef struct ApplierStatus {
    bool exists;
    char state[32];
    double age; /* seconds since it last said something */
    Lsn low_water_lsn;
    char message[512]; /* of its error, or "" */
} ApplierStatus;

int records_applier(Cutover *cutover, ApplierStatus *out, Error *error) MUST_CHECK;

/* Fills one record per step from the journal. The caller frees them with step_records_free. */
int records_load(Cutover *cutover, StepRecord records[CUTOVER_STEPS], Error *error) MUST_CHECK;

/* A hook of the machine: one line of the journal. */
int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error);
