/*
 * The positions of sequences, many at a time: a look at all of them before clients are held, and in the hold only what has
 * moved since.
 *
 *     positions_set_ahead   reads every sequence of one side, sets the other's, and sees that they are equal there
 *     positions_set_rest    reads them again, and sets those that have moved; without a look before, that is all of them
 *
 * One statement reads a thousand sequences (pg_sequence_last_value), for each of which it keeps a lock until its end; those that
 * were never called, which that function does not tell, are read one by one, a few hundred in a statement. Nobody but us
 * moves the sequences of the other side meanwhile: clients are not there.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

#include "database.h"
#include "error.h"

/* What a look has found; belongs to one thread. The caller frees it with positions_free. */
typedef struct Positions Positions;

/* *out is the look. */
int positions_set_ahead(Database *from, Database *to, Positions **out, Error *error) MUST_CHECK;

/* before may be NULL. *count: all sequences; *moved: those that were set now. */
int positions_set_rest(Database *from, Database *to, const Positions *before, size_t *count, size_t *moved,
                       Error *error) MUST_CHECK;

/* How long one look takes, and how many sequences there are; sets nothing. */
int positions_measure(Database *from, size_t *count, double *seconds, Error *error) MUST_CHECK;

size_t positions_count(const Positions *positions);
void positions_free(Positions *positions);
