/*
 * Comparing both sides.
 */
#include "kinds.h"

#define FIRST 1900
#define TITLE "Verify"

static const ErrorKind kinds[] = {
    {1901, "Both sides could not be brought to one point",
     "The applier did not come to it in time, or no snapshot fitted.",
     "See that `penstock follow` runs and keeps up; try again, or when less is written.",
     WORDS("has not come to a point to compare at", "could not be brought to one point",
           "the snapshots of both sides were not there in time", "no moment at which both sides")},
    {1902, "Another operation has begun meanwhile", "A cutover, or another comparison of the same migration.",
     "Let it end, then compare again.",
     WORDS("another comparison of this migration has begun", "a cutover of migration ",
           "has ended the comparison")},
    {1903, "There is nothing to compare",
     "The migration is in a phase in which the two sides do not have to be the same.",
     "`penstock status` says where it stands.", WORDS("there are no two sides that have to be the same")},
    {1904, "A snapshot is gone", "The sessions that kept the point of the comparison have ended.",
     "Compare again: a new point is taken.",
     WORDS("no snapshot was kept", "that kept the snapshot", "the point of the comparison is not known",
           "their list is too long")},
    {1905, "There is no comparison to join", "None of this migration runs, or whoever leads it has gone.",
     "`penstock verify` without `--join` leads one; then join it.",
     WORDS("there is nothing to join", "has made no pair of snapshots",
           "the comparison that was joined has ended")},
    {1906, "What has changed since the last comparison differs",
     "Rows on the target were changed by somebody or something else than the applier.",
     "`penstock verify` lists them, `penstock verify --repair` makes them right while clients go on at the "
     "source.",
     WORDS("from the source since the last comparison")},
    {1907, "A comparison has no whole answer",
     "A server gave fewer rows than it was asked for, or the time that was given was over.",
     "What was compared so far is kept; run `penstock verify` again.",
     WORDS("tables gave fewer rows", "no more time to compare")},
};

ERROR_SECTION(error_section_verify);
