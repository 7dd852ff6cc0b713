/*
 * The journal of a road, as the machine wants it: one record for each step. It is in two places, the target and the ledger;
 * a line goes to the ledger first, so that of one round the ledger has as many lines, or more.
 */
#pragma once

#include "cutover.h"

/* Fills one record per step of the road from the journal, of its latest round. The caller frees them with step_records_free. */
int records_load(Cutover *cutover, const Road *road, StepRecord records[MAX_STEPS], Error *error) MUST_CHECK;

/* The record of the road's step of that name, of records of the road; NULL when there is no such step. */
const StepRecord *records_of(const Road *road, const StepRecord *records, const char *step);

/* True when the road was gone to its end: what comes next is another round. */
bool records_ended(const Road *road, const StepRecord *records);

/* Fills cutover's records with what was done of the round that is under way, from the place that knows more of it. */
int records_load_round(Cutover *cutover, Error *error) MUST_CHECK;

/*
 * Ends the work with the ledger: lines that the target lacks are written there, if it answers; when over, nothing is under
 * way any more, and the ledger is removed. ERROR_CONNECTION and its like when the target does not answer and lacks lines.
 */
int records_close_round(Cutover *cutover, bool over, Error *error) MUST_CHECK;

/*
 * A hook of the machine: one line of the journal. On the way forward the target has to have it; on the way back one of both
 * places does.
 */
int records_journal(void *context, const Step *step, StepEvent event, const json_t *detail, Error *error);
