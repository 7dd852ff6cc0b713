/*
 * Keys of parts are of types whose binary format the source sends (decoder/value_encoder.c), and whose order is that of the
 * integer, or of the bytes, that this format is: integers, dates and times; or oid, uuid, bytea, and text in collation C.
 */
#include "admission.h"

#include <string.h>

bool admit_part(const Admission *admission, size_t part)
{
    const Origin *origin = admission->relation->origin;
    if (admission->commit_lsn >= admission->relation->copy_lsn) {
        return true;
    }
    return origin != NULL && origin->parts[part].copied &&
           !snapshot_sees(&origin->parts[part].snapshot, admission->xid, admission->commit_lsn);
}

Admitted admit_run(const Admission *admission)
{
    const Origin *origin = admission->relation->origin;
    if (admission->commit_lsn >= admission->relation->copy_lsn) {
        return ADMIT_WHOLE;
    }
    if (origin == NULL) {
        return ADMIT_NOTHING;
    }
    bool first = admit_part(admission, 0);
    for (size_t i = 1; i < origin->count; i++) {
        if (admit_part(admission, i) != first) {
            return ADMIT_BY_ROW;
        }
    }
    return first ? ADMIT_WHOLE : ADMIT_NOTHING;
}

/* A big-endian integer of 2, 4 or 8 bytes. */
static bool take_integer(Bytes value, int64_t *out)
{
    uint64_t bits = 0;
    if (value.size != 2 && value.size != 4 && value.size != 8) {
        return false;
    }
    for (size_t i = 0; i < value.size; i++) {
        bits = bits << 8 | value.data[i];
    }
    int shift = 64 - 8 * (int)value.size;
    *out = (int64_t)(bits << shift) >> shift;
    return true;
}

static int compare_bytes(Bytes left, Bytes right)
{
    size_t size = left.size < right.size ? left.size : right.size;
    int order = size > 0 ? memcmp(left.data, right.data, size) : 0;
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static bool begins_behind(const Origin *origin, size_t part, int64_t key, Bytes value)
{
    return origin->by_bytes ? compare_bytes(origin->parts[part].first_bytes, value) > 0
                            : origin->parts[part].first_key > key;
}

/* The part that one side of the row is in. */
static int find_part(const Admission *admission, RowSide side, uint32_t row, size_t *part, Error *error)
{
    const Origin *origin = admission->relation->origin;
    Bytes value;
    int64_t key = 0;
    if (admission->rows->sides[side] == NULL ||
        rows_cell(admission->rows, side, origin->column, row, &value) != CELL_VALUE ||
        value.size < origin->least || value.size > origin->most ||
        (!origin->by_bytes && !take_integer(value, &key))) {
        return error_set(error, ERROR_PROTOCOL,
                         "a row of %s has no key of the type by whose ranges it is copied",
                         admission->relation->qualified);
    }
    size_t low = 0, high = origin->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        *(begins_behind(origin, middle, key, value) ? &high : &low) = middle;
    }
    *part = low;
    return 0;
}

static bool has_unchanged(const RowsRecord *rows, uint32_t row)
{
    Bytes value;
    for (uint32_t column = 0; column < rows->column_count; column++) {
        if (rows_cell(rows, SIDE_NEW, column, row, &value) == CELL_UNCHANGED) {
            return true;
        }
    }
    return false;
}

/* The update moves the row from one part to another, which do not both need it. */
static Admitted admit_move(const Admission *admission, uint32_t row, bool old, size_t new_part, int64_t *job)
{
    if (old) {
        return ADMIT_OLD;
    }
    if (has_unchanged(admission->rows, row)) {
        *job = admission->relation->origin->parts[new_part].job;
        return ADMIT_RECOPY;
    }
    return ADMIT_NEW;
}

int admit_row(const Admission *admission, uint32_t row, Admitted *out, int64_t *job, Error *error)
{
    const RowsRecord *rows = admission->rows;
    size_t old_part = 0, new_part = 0;
    bool has_old = rows->kind != CHANGE_INSERT && rows->sides[SIDE_OLD] != NULL;
    bool has_new = rows->kind != CHANGE_DELETE;
    if ((has_old && find_part(admission, SIDE_OLD, row, &old_part, error) != 0) ||
        (has_new && find_part(admission, SIDE_NEW, row, &new_part, error) != 0)) {
        return -1;
    }
    bool old = has_old ? admit_part(admission, old_part) : admit_part(admission, new_part);
    bool new = has_new ? admit_part(admission, new_part) : old;
    if (old == new) {
        *out = old ? ADMIT_WHOLE : ADMIT_NOTHING;
    } else {
        *out = admit_move(admission, row, old, new_part, job);
    }
    return 0;
}
