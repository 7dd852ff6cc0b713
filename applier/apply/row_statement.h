/*
 * Changes and net rows as statements in a session's queue.
 */
#pragma once

#include "reduce.h"
#include "session.h"

/* Queues the net effect of a segment that is not by_rows; returns how many rows it writes. */
size_t rows_queue_net(Session *session, Arena *arena, const Segment *segment);

/*
 * Queues what makes the row that an insert or update leaves come true whatever is there: as CHANGE_INSERT it is inserted,
 * as CHANGE_UPDATE the row of the same key becomes it, as CHANGE_DELETE the row of the same key goes. False, and nothing
 * queued, when the change says too little for that.
 */
bool rows_queue_new_row(Session *session, Arena *arena, const Change *change, ChangeKind kind);

/*
 * Queues one change by itself. ERROR_CONFLICT when it says too little to find its row; the message does not name the
 * change: conflict_explain does.
 */
int rows_queue_change(Session *session, Arena *arena, const Change *change, Error *error) MUST_CHECK;
