/*
 * Repair: rows that differ are made what they are at the source, while both sides are written.
 *
 * At a point the applier stands, and the target has what a snapshot of the source sees, but for what is wrong. There the wrong
 * rows are deleted and those of the source copied in their place, a batch at a time, so that the applier stands for moments only;
 * then it goes on, and nothing of the stream is lost or done twice. The rows are compared again at that very point. One that is
 * wrong once more was not made wrong by an accident of the past: then it is said, and repair stops.
 */
#pragma once

#include "verify.h"

/* Of all pieces of the pass that differ, and of its sequences. Every repaired row is listed in penstock.verify_difference. */
int verify_repair(Verify *verify, Error *error) MUST_CHECK;
