/*
 * How the database of a trial ends (trial.h has the other half): begun by the trial, waited for by whoever asked for it.
 */
#pragma once

#include "trial.h"

/* Begins to drop the database of that name on the server that uri leads to; nobody may be connected to it. Both are copied. */
int trial_end_begin(const char *uri, const char *name, TrialEnd **out, Error *error) MUST_CHECK;
