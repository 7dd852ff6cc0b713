/*
 * A pair of sessions, one on each side, that run the same query at the same time under their snapshots.
 * Private to this folder; a pair belongs to one thread.
 */
#pragma once

#include "compare.h"

typedef struct ComparePair {
    Database *source;
    Database *target;
    bool (*stop)(void);
} ComparePair;

/* Opens both sessions, read-only under the snapshots that options name. The caller closes *out with
 * pair_close. */
int pair_open(const CompareOptions *options, ComparePair *out, Error *error) MUST_CHECK;
void pair_close(ComparePair *pair);

/*
 * Runs sql, with one text parameter or none (NULL), on both sides; the caller clears both results.
 * ERROR_INTERRUPTED when the stop of the options says so: the queries are cancelled then.
 */
int pair_query(ComparePair *pair, const char *sql, const char *parameter, PGresult **source,
               PGresult **target, Error *error) MUST_CHECK;
