/*
 * What the state says of a running copy, for the operator's view and for `penstock status`: how far indexes are, what the target
 * is building at this moment, how far the stream is behind; and the other way, how far this run is, into the state.
 *
 * A connection of its own to the target; one that is lost, or slow, is no reason for a copy to end: then nothing is told.
 */
#pragma once

#include "copy.h"

typedef struct Teller Teller;

/* copy is borrowed. Tells copy->progress from now on, every two seconds. The caller frees with teller_free. */
Teller *teller_new(const Copy *copy);
void teller_free(Teller *teller);

/* Writes down how large the objects are, at the source, that are made after the rows. */
int teller_weigh(const Copy *copy, Error *error) MUST_CHECK;
