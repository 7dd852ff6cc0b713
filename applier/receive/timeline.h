/*
 * Has the source the history that the target's rows come from?
 */
#pragma once

#include "database.h"
#include "receiver.h"

/*
 * timeline is the one that the source is on. 0 when it is the migration's, or went on from it behind all that the target may
 * have (options->known). ERROR_STATE with what to do otherwise.
 */
int timeline_check(Database *source, const ReceiverOptions *options, int timeline, Error *error) MUST_CHECK;
