/*
 * One change of one row, and one TRUNCATE, from the server's tuples to cells on the wire.
 */
#pragma once

#include "decoder.h"

/* Inserts, updates and deletes. */
void change_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                  Relation relation, const ReorderBufferChange *change);

/* All tables of one TRUNCATE, in one record. */
void truncate_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn, int count,
                    Relation *relations, const ReorderBufferChange *change);

/* Says that the relation has to be copied again, and why; nothing of one that is not wanted. */
void recopy_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                  Relation relation, const char *reason);
