/*
 * Waiting for the copy, while tables are still copied beside the stream: the part of Resolve that knows about it.
 */
#pragma once

#include "resolve.h"

/* May the transaction be begun? STEP_TOOK, STEP_HELD, STEP_NEEDS_QUIET or STEP_AGAIN. */
Step hold_begin(Resolve *resolve, const BeginRecord *begin, bool quiet);

/* Whether some rows of the relation do not have the changes of the transaction at the cursor by copying. */
bool hold_needs(const Resolve *resolve, const ApplyRelation *relation);

/* While tables are copied, this one is once more, without a word to the operator. Never STEP_TOOK. */
Step hold_recopy_table(Resolve *resolve, const ApplyRelation *relation, bool quiet);

/* An answer to one of the questions above. */
void hold_answered(Resolve *resolve, const Question *question);
