/*
 * Every record but Rows, packed into the bytes of a Batch.
 */
#pragma once

#include "buffer.h"
#include "wire.h"

/* A transaction as the next one counts from it. */
typedef struct TransactionPlace {
    Lsn lsn; /* end_lsn; of an open transaction commit_lsn */
    int64_t time;
    uint32_t xid;
} TransactionPlace;

/* Each appends one record to batch, or fails and leaves it as it was. */
int pack_hello(Buffer *batch, const HelloRecord *record, Error *error) MUST_CHECK;
int pack_begin(Buffer *batch, const BeginRecord *record, const TransactionPlace *last,
               Error *error) MUST_CHECK;
int pack_relation(Buffer *batch, const RelationRecord *record,
                  Error *error) MUST_CHECK; /* computes fingerprint */
int pack_truncate(Buffer *batch, const TruncateRecord *record, Error *error) MUST_CHECK;
int pack_message(Buffer *batch, const MessageRecord *record, Error *error) MUST_CHECK;
int pack_recopy(Buffer *batch, const RecopyRecord *record, Error *error) MUST_CHECK;
int pack_heartbeat(Buffer *batch, const HeartbeatRecord *record, Error *error) MUST_CHECK;
int pack_commit(Buffer *batch, const CommitRecord *record, Error *error) MUST_CHECK;
