/*
 * A matched pair of snapshots after a switch: no applier of ours works any more. The source is closed, and gets what is written
 * to the target by PostgreSQL's own subscription, if there is a way back.
 */
#pragma once

#include <stdbool.h>

#include "exported.h"

/*
 * Opens a transaction on each of the holders (source, target) and exports its snapshot; both see the same, because between the
 * two nothing was written: the target's write position is the same before and after, and the way back had brought all
 * up to there. watch is one more connection to the target. Tried for a minute. ERROR_STATE, saying what is in the way, when
 * the target is never at rest for so long.
 */
int still_take(Database *holders[2], Database *watch, char exported[2][EXPORTED_SIZE], bool (*stop)(void),
               char point[24], Error *error) MUST_CHECK;
