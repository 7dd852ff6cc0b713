/*
 * A statement's columns are chosen here: what is written and what the row is found by. Net rows of one list
 * go as one statement over arrays, cut in halves when an array would be too large; a single row, and each of a
 * few, goes as plain values, straight from the frame.
 *
 * Identity columns that are GENERATED ALWAYS make the exceptions. An update of many rows compares them
 * (statement.c); an update of one row leaves them out where the old row shows that they stay, and otherwise
 * replaces the row.
 */
#include "row_statement.h"

#include <string.h>

#include "array_parameter.h"

/*
 * So many rows cost the target less without a join. Planning a join with arrays takes it 100 microseconds, of a row's own statement
 * 45, which is parsed and planned once for all of them; and then each row costs 8 or 9, of many 4 (PostgreSQL 14). Where the plan
 * of the join is there already the two are even. Found by their key all together, four to eight rows cost it 50 to 130 less than one
 * by one.
 */
#define FEW_ROWS 8

static ColumnWord *new_set(Arena *arena, const ApplyRelation *relation)
{
    return arena_zalloc(arena, column_words(relation->source->column_count) * sizeof(ColumnWord));
}

static ColumnWord *key_set(Arena *arena, const ApplyRelation *relation)
{
    ColumnWord *set = new_set(arena, relation);
    for (uint32_t i = 0; i < relation->source->key_count; i++) {
        column_add(set, relation->source->keys[i]);
    }
    return set;
}

/* The columns that image has something for and that may be written. */
static ColumnWord *writable_set(Arena *arena, const ApplyRelation *relation, const RowImage *image)
{
    ColumnWord *set = new_set(arena, relation);
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (!relation->columns[c].generated && image_has(image, c)) {
            column_add(set, c);
        }
    }
    return set;
}

static bool writes_identity(const ApplyRelation *relation, const Shape *shape)
{
    if (shape->kind != CHANGE_UPDATE || !relation->overriding) {
        return false;
    }
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (relation->columns[c].identity_always && column_in(shape->set, c)) {
            return true;
        }
    }
    return false;
}

typedef struct Parameters {
    const char **values;
    int *lengths;
    int count;
    bool oversized;
} Parameters;

static void add_parameter(Parameters *p, Bytes value, bool null)
{
    p->values[p->count] = null ? NULL : value.size == 0 ? "" : (const char *)value.data;
    p->lengths[p->count] = (int)value.size;
    p->count++;
}

static void add_cells(Parameters *p, Arena *arena, const ApplyRelation *relation, const Shape *shape,
                      const NetRow *rows, size_t count, ImageSide side)
{
    const ColumnWord *columns = side == IMAGE_NEW ? shape->set : shape->find;
    for (uint32_t c = 0; c < relation->source->column_count && !p->oversized; c++) {
        if (!column_in(columns, c)) {
            continue;
        }
        Bytes value = {0};
        if (shape->single) {
            const RowImage *image = side == IMAGE_NEW ? &rows->image : &rows->key;
            bool null = image_cell(image, c, &value) != CELL_VALUE;
            add_parameter(p, value, null);
        } else {
            value = array_parameter(arena, rows, count, side, c, relation->columns[c].element_type);
            p->oversized = value.data == NULL;
            add_parameter(p, value, false);
        }
    }
}

static void queue(Session *session, Arena *arena, const ApplyRelation *relation, Shape shape,
                  const NetRow *rows, size_t count, const Change *change)
{
    int total = statement_parameter_count(relation, &shape);
    Parameters p = {.values = arena_alloc(arena, sizeof(*p.values) * (size_t)total),
                    .lengths = arena_alloc(arena, sizeof(*p.lengths) * (size_t)total)};
    add_cells(&p, arena, relation, &shape, rows, count, IMAGE_NEW);
    add_cells(&p, arena, relation, &shape, rows, count, IMAGE_KEY);
    if (p.oversized) {
        size_t half = count / 2;
        shape.by_key = false;
        shape.single = half == 1;
        queue(session, arena, relation, shape, rows, half, change);
        shape.single = count - half == 1;
        queue(session, arena, relation, shape, rows + half, count - half, change);
        return;
    }
    session_execute(session, relation, &shape, p.values, p.lengths, count, change);
}

static void queue_list(Session *session, Arena *arena, const Segment *segment, Shape shape,
                       const NetRow *rows, size_t count)
{
    if (count == 0) {
        return;
    }
    bool no_values =
        statement_parameter_count(segment->relation, &shape) == 0; /* every column is generated */
    bool few = count <= FEW_ROWS && !writes_identity(segment->relation, &shape);
    shape.by_key = few && count > 1 && !no_values && statement_finds_by_key(segment->relation, &shape);
    shape.single = no_values || (few && !shape.by_key);
    for (size_t i = 0; shape.single && i < count; i++) {
        queue(session, arena, segment->relation, shape, &rows[i], 1, NULL);
    }
    if (!shape.single) {
        queue(session, arena, segment->relation, shape, rows, count, NULL);
    }
}

/*
 * Rows that are found by reading the whole table. Our sessions price that out (session_settings.c), which is right for all that is
 * found by an index; here the table and the rows are joined by a hash, once.
 */
static size_t queue_lost(Session *session, Arena *arena, const Segment *segment)
{
    size_t total = 0;
    const ColumnWord *none = new_set(arena, segment->relation);
    for (size_t g = 0; g < segment->lost_count; g++) {
        const LostGroup *group = &segment->lost[g];
        if (g == 0) {
            session_command(session, STATEMENT_READ_WHOLE);
        }
        queue(session, arena, segment->relation,
              (Shape){.kind = CHANGE_DELETE, .set = none, .find = group->find}, group->rows, group->count,
              NULL);
        total += group->count;
    }
    if (segment->lost_count != 0) {
        session_command(session, STATEMENT_READ_INDEX);
    }
    return total;
}

size_t rows_queue_net(Session *session, Arena *arena, const Segment *segment)
{
    const ApplyRelation *relation = segment->relation;
    const ColumnWord *none = new_set(arena, relation);
    const ColumnWord *keys = key_set(arena, relation);
    size_t total = segment->delete_count + segment->insert_count;
    queue_list(session, arena, segment, (Shape){.kind = CHANGE_DELETE, .set = none, .find = keys},
               segment->deletes, segment->delete_count);
    total += queue_lost(session, arena, segment);
    for (size_t g = 0; g < segment->update_count; g++) {
        const UpdateGroup *group = &segment->updates[g];
        queue_list(session, arena, segment,
                   (Shape){.kind = CHANGE_UPDATE, .set = group->columns, .find = keys}, group->rows,
                   group->count);
        total += group->count;
    }
    if (segment->insert_count != 0) {
        const ColumnWord *all = writable_set(arena, relation, &segment->inserts[0].image);
        queue_list(session, arena, segment, (Shape){.kind = CHANGE_INSERT, .set = all, .find = none},
                   segment->inserts, segment->insert_count);
    }
    return total;
}

static bool same_cell(const RowImage *a, const RowImage *b, uint32_t column)
{
    Bytes x = {0};
    Bytes y = {0};
    CellState state = image_cell(a, column, &x);
    if (state > CELL_NULL || state != image_cell(b, column, &y)) {
        return false;
    }
    return state == CELL_NULL || (x.size == y.size && (x.size == 0 || memcmp(x.data, y.data, x.size) == 0));
}

/* What the update of one row writes: what it has, except what may not or need not be written. */
static const ColumnWord *update_set(Arena *arena, const Change *change, const NetRow *row)
{
    const ApplyRelation *relation = change->relation;
    ColumnWord *set = writable_set(arena, relation, &row->image);
    bool moves = change_moves_key(change);
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        bool kept_key = relation->match == MATCH_KEY && !moves && relation->source->columns[c].key;
        bool kept_identity = relation->columns[c].identity_always && row->key.side == SIDE_OLD &&
                             same_cell(&row->image, &row->key, c);
        if (column_in(set, c) && (kept_key || kept_identity)) {
            set[c / 64] &= ~((ColumnWord)1 << (c % 64));
        }
    }
    return set;
}

/* What the row is found by. */
static int find_set(Arena *arena, const Change *change, const NetRow *row, const ColumnWord **out,
                    Error *error)
{
    const ApplyRelation *relation = change->relation;
    if (relation->match == MATCH_NONE || (relation->match == MATCH_ROW && change->rows->old != OLD_FULL)) {
        error_set(error, ERROR_CONFLICT, "the change does not say which row it concerns");
        return error_hint(
            error, "the table had no replica identity when the source wrote this: give it a primary key, "
                   "or ALTER TABLE … REPLICA IDENTITY FULL, on the source, and copy the table again");
    }
    ColumnWord *set = relation->match == MATCH_KEY ? key_set(arena, relation) : new_set(arena, relation);
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        Bytes value;
        CellState state = image_cell(&row->key, c, &value);
        if (relation->match == MATCH_ROW && state == CELL_VALUE && !relation->columns[c].generated) {
            column_add(set, c);
        }
        if (relation->match == MATCH_KEY && column_in(set, c) && state != CELL_VALUE) {
            return error_set(error, ERROR_CONFLICT, "the change has no value for key column %s",
                             relation->columns[c].quoted);
        }
    }
    *out = set;
    return 0;
}

int rows_queue_change(Session *session, Arena *arena, const Change *change, Error *error)
{
    NetRow row = {.image = change_image(change), .key = change_key(change)};
    Shape shape = {.kind = change->rows->kind, .single = true};
    shape.set = new_set(arena, change->relation);
    shape.find = shape.set;
    if (shape.kind == CHANGE_INSERT) {
        shape.set = writable_set(arena, change->relation, &row.image);
    } else if (find_set(arena, change, &row, &shape.find, error) != 0) {
        return -1;
    }
    if (shape.kind == CHANGE_UPDATE) {
        shape.set = update_set(arena, change, &row);
    }
    queue(session, arena, change->relation, shape, &row, 1, change);
    return 0;
}

static bool image_complete(const ApplyRelation *relation, const RowImage *image)
{
    for (uint32_t c = 0; c < relation->source->column_count; c++) {
        if (!relation->columns[c].generated && !image_has(image, c)) {
            return false;
        }
    }
    return true;
}

bool rows_queue_new_row(Session *session, Arena *arena, const Change *change, ChangeKind kind)
{
    const ApplyRelation *relation = change->relation;
    RowImage image = change_image(change);
    NetRow row = {.image = image, .key = image};
    Shape shape = {.kind = kind, .single = true};
    ColumnWord *written = writable_set(arena, relation, &image);
    const ColumnWord *none = new_set(arena, relation);
    const ColumnWord *keys = key_set(arena, relation);
    if (kind == CHANGE_INSERT ? !image_complete(relation, &image) : relation->match != MATCH_KEY) {
        return false;
    }
    for (uint32_t c = 0; kind == CHANGE_UPDATE && c < relation->source->column_count; c++) {
        if (column_in(keys, c)) {
            written[c / 64] &= ~((ColumnWord)1 << (c % 64));
        }
    }
    shape.set = kind == CHANGE_DELETE ? none : written;
    shape.find = kind == CHANGE_INSERT ? none : keys;
    queue(session, arena, relation, shape, &row, 1, change);
    return true;
}
