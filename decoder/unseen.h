/*
 * Tables whose rows are no longer what the stream says, because something happened to them that is not in the WAL:
 *
 *     they were UNLOGGED for a while              whatever was written meanwhile
 *     ALTER TABLE wrote all rows anew             with other values: ALTER COLUMN TYPE … USING, ADD COLUMN … DEFAULT random()
 *
 * What also makes a new file and changes no value is none of these: VACUUM FULL, CLUSTER, REFRESH, SET TABLESPACE, tools
 * that swap files, and TRUNCATE, which is in the stream.
 *
 * Where DDL is captured, what is captured of ALTER TABLE says by itself which rows have to be copied again: then only the first.
 *
 *     on_commit ──► unseen_write ──► a record that the table has to be copied again, before the commit's
 */
#pragma once

#include "decoder.h"

/* To be called at the commit of each transaction, while its snapshot still stands. */
void unseen_write(Decoder *decoder, LogicalDecodingContext *ctx, ReorderBufferTXN *txn);
