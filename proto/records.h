/*
 * One Record message of a Batch, of whatever kind. Numbers of Begin and Commit come out as the wire has them,
 * as steps; transaction.c, which knows the transaction before, makes them absolute.
 */
#pragma once

#include "rows.h"

/* What the record points to goes into arena, of a relation record into relations. */
int record_decode(Cursor body, Arena *arena, Arena *relations, Record *record, Error *error) MUST_CHECK;
