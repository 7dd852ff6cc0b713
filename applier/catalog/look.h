/*
 * Looking at the target: what a set of the source's relations are there, and what has to be remembered of them. Blocks for
 * one query a set; for one more where it has tables that were copied in parts, types that are not known yet, or something new. Used by the resolver's thread.
 */
#pragma once

#include "fit.h"
#include "relation.h"
#include "types.h"

/* What became of one relation. */
typedef struct Answer {
    const SourceRelation *source;
    ApplyRelation *relation; /* NULL: it takes no part; see catalog.h */
    bool unknown;            /* … because the migration has never heard of it, under this name at least */
    Error *error;            /* it does not fit: ERROR_CONFLICT or ERROR_STATE, with what to do; else NULL */
    bool replaced; /* … because it is another table, or a column is another, than the one that was copied */
    Lsn copy_lsn; /* of what does not fit: its changes before this are in the copied rows, or of no account */
} Answer;

/*
 * Fills answers, one for each source, however many. Classes that are new are noted in penstock.relation. With settle, the
 * class that is right now replaces the one that an earlier run decided; else it is kept, and relation->unsettled says so.
 * An error, of the connection for instance, is about all of them. The caller clears the answers that it does not
 * take over with answers_clear, also after an error.
 */
int look_at_relations(Database *target, Types *types, const LossyTables *lossy, const char *migration,
                      bool settle, const SourceRelation *const *sources, size_t count, Answer *answers,
                      Error *error) MUST_CHECK;
void answers_clear(Answer *answers, size_t count);
