/*
 * Which images of a row go out:
 *
 *   insert                        new
 *   update, no old tuple          new                  the key did not change: the reader finds the row by it
 *   update, key changed           new, old key
 *   update, identity full         new, old whole row
 *   delete                        old key, or old whole row
 *
 * A TOASTed value that an update did not touch is not in the WAL: the new tuple has only a pointer into the
 * TOAST table, which may be gone by now. Where the old tuple has the value (identity full, or a key that is
 * itself TOASTed) it is taken from there, else the cell says "unchanged".
 *
 * Tuples are always taken apart by heap_deform_tuple, which fills in the defaults of columns added after the
 * row was written.
 */
#include "compat.h"
#include "change.h"

#include "output.h"

typedef struct RowChange {
    ChangeKind kind;
    OldRow old;
    HeapTuple tuples[2]; /* by RowSide */
} RowChange;

static void refuse_unkeyed(const Decoder *decoder, const char *action)
{
    ereport(
        ERROR,
        (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
         errmsg("penstock: %s of a row that nothing identifies", action),
         errdetail("%s The table has no replica identity, so the WAL does not tell which row it was.",
                   output_place(decoder)),
         errhint(
             "Give the table a primary key or ALTER TABLE … REPLICA IDENTITY FULL; this change was written "
             "before that: copy the table again with a new slot.")));
}

static RowChange row_change_of(const Decoder *decoder, const RelationDefinition *definition,
                               const ReorderBufferChange *change)
{
    RowChange row = {.tuples = {[SIDE_NEW] = change_tuple(change->data.tp.newtuple),
                                [SIDE_OLD] = change_tuple(change->data.tp.oldtuple)}};
    OldRow old = definition->record.identity == IDENTITY_FULL ? OLD_FULL : OLD_KEY;
    switch (change->action) {
    case REORDER_BUFFER_CHANGE_INSERT:
        row.kind = CHANGE_INSERT;
        row.tuples[SIDE_OLD] = NULL;
        break;
    case REORDER_BUFFER_CHANGE_UPDATE:
        row.kind = CHANGE_UPDATE;
        row.old = row.tuples[SIDE_OLD] != NULL ? old : OLD_NONE;
        if (!definition->has_identity || (row.old == OLD_NONE && old == OLD_FULL)) {
            refuse_unkeyed(decoder, "UPDATE");
        }
        break;
    default:
        row.kind = CHANGE_DELETE;
        row.old = old;
        row.tuples[SIDE_NEW] = NULL;
        if (!definition->has_identity || row.tuples[SIDE_OLD] == NULL) {
            refuse_unkeyed(decoder, "DELETE");
        }
        break;
    }
    return row;
}

static void refuse_incomplete(const Decoder *decoder, const RelationColumnRecord *column)
{
    ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
                    errmsg("penstock: the WAL does not have the value of column \"%.*s\"",
                           (int)column->name.size, (const char *)column->name.data),
                    errdetail_internal("%s", output_place(decoder))));
}

/* One cell of the new row. */
static int write_new_cell(const Decoder *decoder, RelationDefinition *definition, const RowChange *row,
                          uint32_t column, Error *error)
{
    CachedColumn *cached = &definition->columns[column];
    const RelationColumnRecord *record = &definition->record.columns[column];
    RowImage image = definition->images[SIDE_NEW];
    int attribute = cached->attribute;
    if (image.nulls[attribute]) {
        return writer_state(decoder->writer, SIDE_NEW, CELL_NULL, error);
    }
    Datum value = image.values[attribute];
    if (value_is_unchanged(&cached->encoder, value)) {
        RowImage old = definition->images[SIDE_OLD];
        bool known = row->old == OLD_FULL || (row->old == OLD_KEY && record->key);
        if (!known && (row->kind == CHANGE_INSERT || record->key)) {
            refuse_incomplete(decoder, record);
        }
        if (!known) {
            return writer_state(decoder->writer, SIDE_NEW, CELL_UNCHANGED, error);
        }
        if (old.nulls[attribute] || value_is_unchanged(&cached->encoder, old.values[attribute])) {
            refuse_incomplete(decoder, record);
        }
        value = old.values[attribute];
    }
    return value_write(&cached->encoder, value, decoder->writer, SIDE_NEW, error);
}

/* One cell of the old row: in a key-only tuple everything beside the key is null, and means absent. */
static int write_old_cell(const Decoder *decoder, RelationDefinition *definition, const RowChange *row,
                          uint32_t column, Error *error)
{
    CachedColumn *cached = &definition->columns[column];
    const RelationColumnRecord *record = &definition->record.columns[column];
    RowImage image = definition->images[SIDE_OLD];
    if (row->old == OLD_KEY && !record->key) {
        return writer_state(decoder->writer, SIDE_OLD, CELL_ABSENT, error);
    }
    if (image.nulls[cached->attribute]) {
        return writer_state(decoder->writer, SIDE_OLD, CELL_NULL, error);
    }
    Datum value = image.values[cached->attribute];
    if (value_is_unchanged(&cached->encoder, value)) {
        refuse_incomplete(decoder, record);
    }
    return value_write(&cached->encoder, value, decoder->writer, SIDE_OLD, error);
}

static void row_write(const Decoder *decoder, RelationDefinition *definition, const RowChange *row)
{
    Error error;
    uint32_t count = definition->record.column_count;
    FrameWriter *writer = decoder->writer;
    output_check(decoder, writer_row(writer, definition->record.id, count, row->kind, row->old, &error),
                 &error);
    for (uint32_t i = 0; row->tuples[SIDE_NEW] != NULL && i < count; i++) {
        output_check(decoder, write_new_cell(decoder, definition, row, i, &error), &error);
    }
    for (uint32_t i = 0; row->tuples[SIDE_OLD] != NULL && i < count; i++) {
        output_check(decoder, write_old_cell(decoder, definition, row, i, &error), &error);
    }
    output_check(decoder, writer_row_end(writer, &error), &error);
}

static void relation_announce(const Decoder *decoder, const RelationDefinition *definition)
{
    if (relation_cache_must_send(decoder->relations, definition)) {
        Error error;
        output_check(decoder, writer_relation(decoder->writer, &definition->record, &error), &error);
    }
}

void change_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                  Relation relation, const ReorderBufferChange *change)
{
    RelationDefinition *definition = relation_cache_find(decoder->relations, relation);
    if (!definition->published) {
        output_left_out(decoder, ctx, txn->final_lsn);
        return;
    }
    RowChange row = row_change_of(decoder, definition, change);
    for (int side = 0; side < 2; side++) {
        if (row.tuples[side] != NULL) {
            RowImage image = definition->images[side];
            heap_deform_tuple(row.tuples[side], RelationGetDescr(relation), image.values, image.nulls);
        }
    }
    output_begin(decoder, ctx, txn);
    relation_announce(decoder, definition);
    row_write(decoder, definition, &row);
    output_flush_full(decoder, ctx);
}

void truncate_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn, int count,
                    Relation *relations, const ReorderBufferChange *change)
{
    uint32_t *ids = palloc((Size)(count + 1) * sizeof(uint32_t));
    TruncateRecord record = {
        .relations = ids,
        .cascade = change->data.truncate.cascade,
        .restart_identity = change->data.truncate.restart_seqs,
    };
    for (int i = 0; i < count; i++) {
        const RelationDefinition *definition = relation_cache_find(decoder->relations, relations[i]);
        if (definition->published) {
            output_begin(decoder, ctx, txn);
            relation_announce(decoder, definition);
            ids[record.relation_count++] = definition->record.id;
        }
    }
    if (record.relation_count == 0) {
        output_left_out(decoder, ctx, txn->final_lsn);
        return;
    }
    Error error;
    output_check(decoder, writer_truncate(decoder->writer, &record, &error), &error);
    output_flush_full(decoder, ctx);
}
