/*
 * From the start of the applier to its end: opens what outlives a run of the pipeline, and runs it again as long as
 * what ended it may pass.
 */
#pragma once

#include "options.h"
#include "stop.h"

/* 0 when it was asked to stop or --until was reached. The error has been logged and written to the state. */
int supervise(const ApplierOptions *options, Stop *stop, Error *error) MUST_CHECK;
