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
 * A change that cannot be sent (nothing identifies the row, the WAL lacks a value, the row is too long) ends decoding, or
 * a Recopy record stands in its place, as the option on_undecodable says. What the server itself refuses, an output
 * function or memory, ends decoding either way: after such an error nothing but ending is safe.
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

static int refuse_unkeyed(const char *action, Error *error)
{
    error_set(error, ERROR_CONFLICT, "%s of a row that nothing identifies", action);
    return error_hint(
        error, "The table had no replica identity, so the WAL does not tell which row it was: the table has "
               "to be copied again. penstock follow --on-undecodable=recopy goes on with the other "
               "tables until then. For what comes, ALTER TABLE … REPLICA IDENTITY FULL.");
}

static int row_change_of(const RelationDefinition *definition, const ReorderBufferChange *change,
                         RowChange *row, Error *error)
{
    *row = (RowChange){.tuples = {[SIDE_NEW] = change_tuple(change->data.tp.newtuple),
                                  [SIDE_OLD] = change_tuple(change->data.tp.oldtuple)}};
    OldRow old = definition->identity == IDENTITY_FULL ? OLD_FULL : OLD_KEY;
    switch (change->action) {
    case REORDER_BUFFER_CHANGE_INSERT:
        row->kind = CHANGE_INSERT;
        row->tuples[SIDE_OLD] = NULL;
        return 0;
    case REORDER_BUFFER_CHANGE_UPDATE:
        row->kind = CHANGE_UPDATE;
        row->old = row->tuples[SIDE_OLD] != NULL ? old : OLD_NONE;
        return !definition->has_identity || (row->old == OLD_NONE && old == OLD_FULL)
                   ? refuse_unkeyed("UPDATE", error)
                   : 0;
    default:
        row->kind = CHANGE_DELETE;
        row->old = old;
        row->tuples[SIDE_NEW] = NULL;
        return !definition->has_identity || row->tuples[SIDE_OLD] == NULL ? refuse_unkeyed("DELETE", error)
                                                                          : 0;
    }
}

static const char *column_name(const Decoder *decoder, const CachedColumn *column)
{
    return NameStr(TupleDescAttr(RelationGetDescr(decoder->relation), column->attribute)->attname);
}

static int refuse_incomplete(const Decoder *decoder, const CachedColumn *column, Error *error)
{
    return error_set(error, ERROR_SOURCE, "the WAL does not have the value of column \"%s\"",
                     column_name(decoder, column));
}

/* What the value is, and how to go on. */
static int write_value(const Decoder *decoder, const CachedColumn *column, Datum value, RowSide side,
                       Error *error)
{
    if (value_write(column->encoder, value, decoder->writer, side, error) == 0) {
        return 0;
    }
    if (error->code == ERROR_CONFLICT) {
        error_context(error, "column \"%s\"", column_name(decoder, column));
        error_hint(error, "A copy carries it, the stream does not: penstock follow --on-undecodable=recopy "
                          "goes on with the "
                          "other tables until the table has been copied again.");
    }
    return -1;
}

/* One cell of the new row. */
static int write_new_cell(const Decoder *decoder, const CachedColumn *column, const RowChange *row,
                          Error *error)
{
    RowImage image = decoder->images[SIDE_NEW];
    int attribute = column->attribute;
    if (image.nulls[attribute]) {
        return writer_state(decoder->writer, SIDE_NEW, CELL_NULL, error);
    }
    Datum value = image.values[attribute];
    if (value_is_unchanged(column->encoder, value)) {
        RowImage old = decoder->images[SIDE_OLD];
        bool known = row->old == OLD_FULL || (row->old == OLD_KEY && column->key);
        if (!known && (row->kind == CHANGE_INSERT || column->key)) {
            return refuse_incomplete(decoder, column, error);
        }
        if (!known) {
            return writer_state(decoder->writer, SIDE_NEW, CELL_UNCHANGED, error);
        }
        if (old.nulls[attribute] || value_is_unchanged(column->encoder, old.values[attribute])) {
            return refuse_incomplete(decoder, column, error);
        }
        value = old.values[attribute];
    }
    return write_value(decoder, column, value, SIDE_NEW, error);
}

/* One cell of the old row: in a key-only tuple everything beside the key is null, and means absent. */
static int write_old_cell(const Decoder *decoder, const CachedColumn *column, const RowChange *row,
                          Error *error)
{
    RowImage image = decoder->images[SIDE_OLD];
    if (row->old == OLD_KEY && !column->key) {
        return writer_state(decoder->writer, SIDE_OLD, CELL_ABSENT, error);
    }
    if (image.nulls[column->attribute]) {
        return writer_state(decoder->writer, SIDE_OLD, CELL_NULL, error);
    }
    Datum value = image.values[column->attribute];
    if (value_is_unchanged(column->encoder, value)) {
        return refuse_incomplete(decoder, column, error);
    }
    return write_value(decoder, column, value, SIDE_OLD, error);
}

static int row_write(const Decoder *decoder, const RelationDefinition *definition, const RowChange *row,
                     Error *error)
{
    uint32_t count = definition->column_count;
    FrameWriter *writer = decoder->writer;
    if (writer_row(writer, definition->id, count, row->kind, row->old, error) != 0) {
        return -1;
    }
    for (uint32_t i = 0; row->tuples[SIDE_NEW] != NULL && i < count; i++) {
        if (write_new_cell(decoder, &definition->columns[i], row, error) != 0) {
            return -1;
        }
    }
    for (uint32_t i = 0; row->tuples[SIDE_OLD] != NULL && i < count; i++) {
        if (write_old_cell(decoder, &definition->columns[i], row, error) != 0) {
            return -1;
        }
    }
    return writer_row_end(writer, error);
}

static void relation_announce(const Decoder *decoder)
{
    const RelationRecord *record = relation_cache_unsent(decoder->relations);
    if (record != NULL) {
        Error error;
        output_check(decoder, writer_relation(decoder->writer, record, &error), &error);
    }
}

/* Room for as many attributes as the relation at hand has. */
static void images_reserve(Decoder *decoder, int natts)
{
    if (natts <= decoder->image_size) {
        return;
    }
    int size = decoder->image_size > 0 ? 2 * decoder->image_size : 64;
    size = size > natts ? size : natts;
    for (int side = 0; side < 2; side++) {
        /* What is too small goes with the decoding context; all of it together is less than what is used. */
        decoder->images[side] = (RowImage){
            .values = MemoryContextAlloc(decoder->context, (Size)size * sizeof(Datum)),
            .nulls = MemoryContextAlloc(decoder->context, (Size)size * sizeof(bool)),
        };
    }
    decoder->image_size = size;
}

/* heap_deform_tuple writes as many attributes as the descriptor has, and the columns name some of them. */
static void check_attributes(const Decoder *decoder, const RelationDefinition *definition,
                             TupleDesc description)
{
    if (description->natts != definition->natts) {
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                        errmsg("penstock: a relation of %d attributes was described with %d",
                               description->natts, definition->natts),
                        errdetail_internal("%s", output_place(decoder))));
    }
}

static int change_send(Decoder *decoder, const RelationDefinition *definition, TupleDesc description,
                       const ReorderBufferChange *change, Error *error)
{
    RowChange row;
    if (row_change_of(definition, change, &row, error) != 0) {
        return -1;
    }
    check_attributes(decoder, definition, description);
    images_reserve(decoder, description->natts);
    for (int side = 0; side < 2; side++) {
        if (row.tuples[side] != NULL) {
            RowImage image = decoder->images[side];
            heap_deform_tuple(row.tuples[side], description, image.values, image.nulls);
        }
    }
    return row_write(decoder, definition, &row, error);
}

/* True for what is wrong with this one change, and not with the stream. */
static bool is_undecodable(const Error *error)
{
    return error->code == ERROR_CONFLICT || error->code == ERROR_SOURCE || error->code == ERROR_LIMIT;
}

static void send_recopy(const Decoder *decoder, const RelationDefinition *definition, const char *reason)
{
    Error error;
    RecopyRecord recopy = {
        .relation = definition->id,
        .lsn = decoder->lsn,
        .reason = bytes_of(reason, strlen(reason)),
    };
    output_check(decoder, writer_recopy(decoder->writer, &recopy, &error), &error);
}

/* Sends, in the place of a change that could not be, why the relation has to be copied again; or ends decoding. */
static void give_up(const Decoder *decoder, const RelationDefinition *definition, const Error *why)
{
    if (decoder->options.on_undecodable != UNDECODABLE_RECOPY || !is_undecodable(why)) {
        output_check(decoder, -1, why);
    }
    send_recopy(decoder, definition, why->message);
}

void recopy_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                  Relation relation, const char *reason)
{
    const RelationDefinition *definition = relation_cache_find(decoder->relations, relation);
    if (!definition->published) {
        return;
    }
    output_begin(decoder, ctx, txn);
    relation_announce(decoder);
    send_recopy(decoder, definition, reason);
    output_flush_full(decoder, ctx);
}

void change_write(Decoder *decoder, LogicalDecodingContext *ctx, const ReorderBufferTXN *txn,
                  Relation relation, const ReorderBufferChange *change)
{
    Error error;
    const RelationDefinition *definition = relation_cache_find(decoder->relations, relation);
    if (!definition->published) {
        output_left_out(decoder, ctx, txn->final_lsn);
        return;
    }
    if (!decoder->known) {
        shortcuts_check_change(relation, change);
        decoder->known = true;
    }
    output_begin(decoder, ctx, txn);
    relation_announce(decoder);
    if (change_send(decoder, definition, RelationGetDescr(relation), change, &error) != 0) {
        give_up(decoder, definition, &error);
    }
    output_flush_full(decoder, ctx);
}

static void note_truncated(Decoder *decoder, Oid relation)
{
    if (decoder->truncated_count == decoder->truncated_size) {
        uint32 size = decoder->truncated_size > 0 ? 2 * decoder->truncated_size : 64;
        Oid *list = MemoryContextAlloc(decoder->context, (Size)size * sizeof(Oid));
        if (decoder->truncated != NULL) {
            memcpy(list, decoder->truncated, (Size)decoder->truncated_count * sizeof(Oid));
            pfree(decoder->truncated);
        }
        decoder->truncated = list;
        decoder->truncated_size = size;
    }
    decoder->truncated[decoder->truncated_count++] = relation;
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
        note_truncated(decoder, definition->id);
        if (definition->published) {
            output_begin(decoder, ctx, txn);
            relation_announce(decoder);
            ids[record.relation_count++] = definition->id;
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
