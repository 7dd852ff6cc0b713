/*
 * The changes of one relation one by one, each behind a savepoint and checked before the next, with what does not fit
 * settled as the relation's policy says. Slow; only for relations that have a policy, in batches where one of their
 * statements failed.
 */
#pragma once

#include "apply.h"

/*
 * Queues and runs the changes of relation in batch, in source order; what was queued before runs first. -1 with failure
 * filled when something fails that the policy does not cover. Counts batch->conflicts.
 */
int careful_apply(Applying *applying, Batch *batch, const ApplyRelation *relation,
                  Failure *failure) MUST_CHECK;

/* True for a failure that a policy may settle: it is about rows, not about the table or the server. */
bool careful_may_settle(const Failure *failure);
