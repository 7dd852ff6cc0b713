/*
 * The journal of a cutover, as the machine wants it: one record for each step.
 */
#pragma once

#include "cutover.h"

/* Fills one record per step from the journal. The caller frees them with step_records_free. */
int records_load(Cutover *cutover, StepRecord records[CUTOVER_STEPS], Error *error) MUST_CHECK;

/* A hook of the machine: one line of the journal. */
int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error);
