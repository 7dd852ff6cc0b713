/*
 * Frames made by hand, for tests of what comes behind decode: tables with an integer key and one more column.
 */
#pragma once

#include "frame.h"

typedef struct TestTable {
    SourceRelation source;
    SourceColumn columns[2];
    uint32_t key;
    ApplyRelation target;
} TestTable;

/* Fills table; name is borrowed. Not to be moved afterwards. */
void test_table(TestTable *table, uint32_t id, char *name, LaneClass lane_class);

/* A frame to add records to. The caller drops it with frame_release. */
DecodedFrame *test_frame(void);

/* Each adds a record and returns its number in the frame. */
size_t test_begin(DecodedFrame *frame, Lsn commit_lsn);
size_t test_commit(DecodedFrame *frame, Lsn commit_lsn, uint64_t changes);
size_t test_heartbeat(DecodedFrame *frame, Lsn lsn);
size_t test_truncate(DecodedFrame *frame, uint64_t sequence, const TestTable *const *tables, uint32_t count);

/* count rows of one kind; old_keys is NULL for inserts and for updates that keep the key, new_keys for deletes. */
size_t test_rows(DecodedFrame *frame, const TestTable *table, ChangeKind kind, uint64_t first_sequence,
                 uint32_t count, const int32_t *new_keys, const int32_t *old_keys);

/* Transactions end this far behind their commit record. */
#define TEST_COMMIT_SIZE 8
