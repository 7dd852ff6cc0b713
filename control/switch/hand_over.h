/*
 * Slots of other consumers of changes (--hand-over-slot): a slot of the same name and plugin on the target, which begins where
 * both sides are equal. The consumer reads the one on the source to its end and goes on with the other: nothing is missing, and
 * nothing comes twice.
 */
#pragma once

#include "cutover.h"

/* That each is a logical slot of this database on the source, and that the target has none of that name. */
int hand_over_check(Cutover *cutover, Error *error) MUST_CHECK;

/* In the hold: they begin here. */
int hand_over_move(const Cutover *cutover, Database *session, Error *error) MUST_CHECK;

/* Says of each how far its consumer had come when the last position was noted. */
void hand_over_tell(Cutover *cutover);
