/*
 * Cells stay where they are in the frame: what is made here are the offsets at which they begin. They come
 * from the lengths, which are only for cells that are values, so states and lengths are walked together once.
 *
 * What is allocated is bounded by what was sent. A column whose cells have no bytes sends nothing per row, however it says
 * so (all of them null, no lengths, or one length of 0), so all such columns share one array of zeros. Any other column has a
 * byte for each row at least, of its data, its states or its lengths.
 */
#include "rows.h"

#include <inttypes.h>
#include <string.h>

#include "fields.h"
#include "run.h"
#include "wire_limits.h"

typedef struct RowsMessage {
    uint32_t relation;
    uint32_t kind;
    uint32_t old;
    uint32_t count;
    uint64_t first_sequence;
    BytesList columns[2]; /* by RowSide: of runs */
    Bytes rows[2];        /* by RowSide: of a single row; without data where it is not there */
} RowsMessage;

static const FieldSpec rows_fields[] = {
    {"relation", FIELD_U32, UINT32_MAX, offsetof(RowsMessage, relation)},
    {"kind", FIELD_U32, CHANGE_DELETE, offsetof(RowsMessage, kind)},
    {"old", FIELD_U32, OLD_FULL, offsetof(RowsMessage, old)},
    {"count", FIELD_U32, MAX_RUN_ROWS, offsetof(RowsMessage, count)},
    {"first_sequence", FIELD_U64, 0, offsetof(RowsMessage, first_sequence)},
    {"new_columns", FIELD_LIST, MAX_COLUMNS, offsetof(RowsMessage, columns[SIDE_NEW])},
    {"old_columns", FIELD_LIST, MAX_COLUMNS, offsetof(RowsMessage, columns[SIDE_OLD])},
    {"new_row", FIELD_BYTES, 0, offsetof(RowsMessage, rows[SIDE_NEW])},
    {"old_row", FIELD_BYTES, 0, offsetof(RowsMessage, rows[SIDE_OLD])},
};
static const MessageSpec rows_spec = MESSAGE_SPEC("Rows", RowsMessage, rows_fields);

typedef struct ColumnMessage {
    Bytes states;
    Bytes lengths; /* packed varints */
    Bytes data;
} ColumnMessage;

static const FieldSpec column_fields[] = {
    {"states", FIELD_BYTES, 0, offsetof(ColumnMessage, states)},
    {"lengths", FIELD_BYTES, 0, offsetof(ColumnMessage, lengths)},
    {"data", FIELD_BYTES, 0, offsetof(ColumnMessage, data)},
};
static const MessageSpec column_spec = MESSAGE_SPEC("Column", ColumnMessage, column_fields);

/* Checks the states and counts the cells that are values. */
static int read_states(const Cursor *at, Bytes states, uint32_t count, unsigned allowed, CellList *cells,
                       uint32_t *values, Error *error)
{
    if (states.size > 1 && states.size != count) {
        return cursor_error(at, error, "Column.states has %zu entries for %u rows", states.size, count);
    }
    uint8_t bits = 0;
    unsigned seen = states.size == 0 ? 1u << CELL_VALUE : 0;
    uint32_t zeros = 0;
    for (size_t i = 0; i < states.size; i++) {
        bits |= states.data[i];
        seen |= 1u << (states.data[i] & 3);
        zeros += states.data[i] == CELL_VALUE;
    }
    if (bits > CELL_ABSENT || (seen & ~allowed) != 0) {
        return cursor_error(at, error, "Column.states has a state that cannot stand there");
    }
    cells->states = states.size > 1 ? states.data : NULL;
    cells->uniform_state = states.size == 1 ? (CellState)states.data[0] : CELL_VALUE;
    *values = states.size > 1 ? zeros : cells->uniform_state == CELL_VALUE ? count : 0;
    return 0;
}

static uint32_t count_varints(Bytes packed)
{
    uint32_t count = 0;
    for (size_t i = 0; i < packed.size; i++) {
        count += packed.data[i] < 0x80;
    }
    return count;
}

/* Offsets of cells without bytes: read by all, written by nobody. */
static const uint32_t no_offsets[MAX_RUN_ROWS + 1];

/* Room for the offsets of cells that have bytes; NULL when there is no memory. */
static uint32_t *new_offsets(Arena *arena, CellList *cells, uint32_t count, Error *error)
{
    uint32_t *offsets = message_alloc(arena, (count + 1) * sizeof *offsets, error);
    cells->offsets = offsets;
    return offsets;
}

/* Offsets of cells of one length. */
static int uniform_offsets(Cursor *lengths, Arena *arena, CellList *cells, uint32_t count, uint32_t values,
                           size_t size, Error *error)
{
    uint64_t length = 0;
    if (cursor_varint(lengths, &length, error) != 0) {
        return -1;
    }
    if (length > size || length * values != size) {
        return cursor_error(lengths, error, "Column.lengths do not add up to %zu bytes of data", size);
    }
    if (length == 0) {
        cells->offsets = no_offsets;
        return 0;
    }
    uint32_t *offsets = new_offsets(arena, cells, count, error);
    if (offsets == NULL) {
        return -1;
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        offsets[i] = at;
        if (cells->states == NULL || cells->states[i] == CELL_VALUE) {
            at += (uint32_t)length;
        }
    }
    offsets[count] = at;
    return 0;
}

/* Offsets of cells that have a length each. */
static int single_offsets(Cursor *lengths, Arena *arena, CellList *cells, uint32_t count, size_t size,
                          Error *error)
{
    uint64_t at = 0;
    uint32_t *offsets = new_offsets(arena, cells, count, error);
    if (offsets == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < count; i++) {
        offsets[i] = (uint32_t)at;
        if (cells->states != NULL && cells->states[i] != CELL_VALUE) {
            continue;
        }
        uint64_t length = 0;
        if (cursor_varint(lengths, &length, error) != 0) {
            return -1;
        }
        if (length > size - at) {
            return cursor_error(lengths, error, "Column.lengths add up to more than %zu bytes of data", size);
        }
        at += length;
    }
    offsets[count] = (uint32_t)at;
    return at == size
               ? 0
               : cursor_error(lengths, error, "Column.lengths do not add up to %zu bytes of data", size);
}

static int decode_cells(Arena *arena, Cursor body, const ColumnMessage *message, uint32_t count,
                        unsigned allowed, CellList *cells, Error *error)
{
    ColumnMessage column = *message;
    uint32_t values = 0;
    if (read_states(&body, column.states, count, allowed, cells, &values, error) != 0) {
        return -1;
    }
    uint32_t entries = count_varints(column.lengths);
    if (entries > values || (entries > 1 && entries != values)) {
        return cursor_error(&body, error, "Column.lengths has %u entries for %u values", entries, values);
    }
    if (entries == 0 && (column.data.size > 0 || column.lengths.size > 0)) {
        return cursor_error(&body, error, "Column.data has %zu bytes without lengths", column.data.size);
    }
    cells->data = column.data.size > 0 ? column.data.data : body.base;
    cells->offsets = no_offsets;
    Cursor lengths = cursor_into(&body, column.lengths);
    switch (entries) {
    case 0:
        return 0;
    case 1:
        return uniform_offsets(&lengths, arena, cells, count, values, column.data.size, error);
    default:
        return single_offsets(&lengths, arena, cells, count, column.data.size, error);
    }
}

static int decode_column(Arena *arena, Cursor body, uint32_t count, unsigned allowed, CellList *cells,
                         Error *error)
{
    ColumnMessage column;
    return message_decode(&column_spec, body, arena, &column, error) != 0
               ? -1
               : decode_cells(arena, body, &column, count, allowed, cells, error);
}

/* The cells of one row, which lie one behind another. */
static int decode_row(Arena *arena, Cursor body, unsigned allowed, RowSide side, RowsRecord *rows,
                      Error *error)
{
    ColumnMessage message;
    if (message_decode(&column_spec, body, arena, &message, error) != 0) {
        return -1;
    }
    uint32_t count = (uint32_t)message.states.size;
    if (message.states.size > MAX_COLUMNS) {
        return cursor_error(&body, error, "a row has %zu cells, more than %d", message.states.size,
                            MAX_COLUMNS);
    }
    CellList *cells = message_alloc(arena, sizeof *cells, error);
    if (cells == NULL || decode_cells(arena, body, &message, count, allowed, cells, error) != 0) {
        return -1;
    }
    rows->sides[side] = cells;
    rows->column_count = count;
    return 0;
}

static int decode_side(Arena *arena, const Cursor *body, const RowsMessage *message, RowSide side,
                       RowsRecord *rows, Error *error)
{
    if (rows->count == 1) {
        unsigned states = run_allowed_states(rows->kind, rows->old, side);
        return decode_row(arena, cursor_into(body, message->rows[side]), states, side, rows, error) != 0
                   ? error_context(error, "relation %u, %s row", rows->relation,
                                   side == SIDE_NEW ? "new" : "old")
                   : 0;
    }
    const BytesList *columns = &message->columns[side];
    unsigned allowed = run_allowed_states(rows->kind, rows->old, side);
    CellList *cells = message_alloc(arena, columns->count * sizeof *cells, error);
    if (cells == NULL) {
        return -1;
    }
    for (uint32_t i = 0; i < columns->count; i++) {
        Cursor column = cursor_into(body, columns->items[i]);
        if (decode_column(arena, column, rows->count, allowed, &cells[i], error) != 0) {
            return error_context(error, "relation %u, %s column %u", rows->relation,
                                 side == SIDE_NEW ? "new" : "old", i + 1);
        }
    }
    rows->sides[side] = cells;
    return 0;
}

static int check_shape(const Cursor *body, const RowsMessage *message, Error *error)
{
    if (message->count == 0) {
        return cursor_error(body, error, "Rows.count is 0");
    }
    if (!run_kind_is_valid((ChangeKind)message->kind, (OldRow)message->old)) {
        return cursor_error(body, error, "Rows of kind %u cannot have an old row of kind %u", message->kind,
                            message->old);
    }
    for (RowSide side = SIDE_NEW; side <= SIDE_OLD; side++) {
        bool there = run_has_side((ChangeKind)message->kind, (OldRow)message->old, side);
        bool row = message->rows[side].data != NULL;
        if (message->count == 1 ? row != there || message->columns[side].count > 0 : row) {
            return cursor_error(
                body, error, "Rows of %u rows, kind %u and old row %u do not store the %s side so",
                message->count, message->kind, message->old, side == SIDE_NEW ? "new" : "old");
        }
        if (!there && message->columns[side].count > 0) {
            return cursor_error(body, error, "Rows of kind %u and old row %u cannot have %s columns",
                                message->kind, message->old, side == SIDE_NEW ? "new" : "old");
        }
    }
    if (message->kind == CHANGE_UPDATE && message->old != OLD_NONE &&
        message->columns[SIDE_NEW].count != message->columns[SIDE_OLD].count) {
        return cursor_error(body, error, "Rows has %u new and %u old columns",
                            message->columns[SIDE_NEW].count, message->columns[SIDE_OLD].count);
    }
    return 0;
}

/* Both sides of a single row have been decoded; each has as many cells as it brought states. */
static int check_row_sides(const Cursor *body, const RowsRecord *rows, uint32_t new_count, Error *error)
{
    if (rows->count == 1 && rows->kind == CHANGE_UPDATE && rows->old != OLD_NONE &&
        rows->column_count != new_count) {
        return cursor_error(body, error, "Rows has %u new and %u old columns", new_count, rows->column_count);
    }
    return 0;
}

int rows_decode(Cursor body, Arena *arena, RowsRecord *rows, Error *error)
{
    RowsMessage message;
    if (message_decode(&rows_spec, body, arena, &message, error) != 0 ||
        check_shape(&body, &message, error) != 0) {
        return -1;
    }
    *rows = (RowsRecord){
        .relation = message.relation,
        .column_count = message.columns[message.kind == CHANGE_DELETE ? SIDE_OLD : SIDE_NEW].count,
        .kind = (ChangeKind)message.kind,
        .old = (OldRow)message.old,
        .count = message.count,
        .first_sequence = message.first_sequence,
    };
    uint32_t new_count = 0;
    for (RowSide side = SIDE_NEW; side <= SIDE_OLD; side++) {
        if (run_has_side(rows->kind, rows->old, side) &&
            decode_side(arena, &body, &message, side, rows, error) != 0) {
            return -1;
        }
        new_count = side == SIDE_NEW ? rows->column_count : new_count;
    }
    return check_row_sides(&body, rows, new_count, error);
}
