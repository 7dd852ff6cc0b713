/*
 * One Record message of a Batch, of whatever kind.
 */
#pragma once

#include "rows.h"

int record_decode(Cursor body, RowsDecoder *rows, Record *record, Error *error) MUST_CHECK;
