/*
 * May a run begin? What the journal says of both roads, and the phase of the migration, decide.
 */
#pragma once

#include "cutover.h"

/* ERROR_STATE, with what to do instead, when this mode of this road cannot be. */
int allowed_check(const Cutover *cutover, Error *error) MUST_CHECK;

/* A rollback comes on a cutover that has let its clients go and was not brought to its end: that comes first. */
bool allowed_needs_end(Cutover *cutover);

/* The error of an --undo that comes too late; why is what is in the way. */
int allowed_refuse_undo(const Cutover *cutover, const Error *why, Error *error);
