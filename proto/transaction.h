/*
 * What must hold between the records of one connection: hello first, transactions whole and one at a time,
 * changes numbered without gaps, relations known before they are used, counts and checksum right at commit.
 */
#pragma once

#include "reader.h"

typedef struct TransactionCheck TransactionCheck;

/* NULL when there is no memory. */
TransactionCheck *transaction_check_new(void);
void transaction_check_free(TransactionCheck *check);

/* Tells that batch is the frame whose records come next. */
void transaction_check_frame(TransactionCheck *check, Bytes batch);

/* record stands at byte `offset` of the batch. The steps of Begin and Commit become positions and times. */
int transaction_check_record(TransactionCheck *check, Record *record, size_t offset, Error *error) MUST_CHECK;

/* After the last record of the frame. open is what the frame says. */
int transaction_check_frame_end(TransactionCheck *check, bool open, Error *error) MUST_CHECK;

/* Commit LSN of the open transaction; LSN_INVALID between transactions. */
Lsn transaction_check_lsn(const TransactionCheck *check);
