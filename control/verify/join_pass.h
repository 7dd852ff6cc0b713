/*
 * Comparing along: pieces of a pass that another process leads, under its snapshots.
 */
#pragma once

#include "verify.h"

/* Takes how much is a sample from the pass into options. *equal says whether this process has found a difference. */
int join_run_pass(Verify *verify, VerifyOptions *options, bool *equal, Error *error) MUST_CHECK;
