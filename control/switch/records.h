/*
 * The journal of a road, as the machine wants it: one record for each step.
 */
#pragma once

#include "cutover.h"

/* Fills one record per step of the road from the journal, of its latest round. The caller frees them with step_records_free. */
int records_load(Cutover *cutover, const Road *road, StepRecord records[MAX_STEPS], Error *error) MUST_CHECK;

/* True when the road was gone to its end: what comes next is another round. */
bool records_ended(const Road *road, const StepRecord *records);

/* A hook of the machine: one line of the journal. */
int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error);
