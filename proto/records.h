/*
 * One Record message of a Batch, of whatever kind. Numbers of Begin and Commit come out as the wire has them,
 * as steps; transaction.c, which knows the transaction before, makes them absolute.
 */
#pragma once

#include "rows.h"

int record_decode(Cursor body, Arena *arena, Record *record, Error *error) MUST_CHECK;
