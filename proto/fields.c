/*
 * One pass, which looks ahead where the first entry of a list comes: from there on the entries of all lists are
 * counted, so that each list is allocated once and only after its count was found to be within its limit.
 * Messages without entries, which is most of them, allocate nothing. Numbers a message leaves out are 0, as in
 * proto3.
 */
#include "fields.h"

#include <inttypes.h>
#include <string.h>

#include "varint.h"

#define MAX_FIELDS 9

void *message_alloc(Arena *arena, size_t size, Error *error)
{
    void *result = arena_try_alloc(arena, size);
    if (result == NULL) {
        error_set(error, ERROR_SYSTEM, "no memory for %zu bytes of what the source sent", size);
        error_hint(
            error,
            "Nothing of this frame was taken, and it comes again with the next connection: free memory on "
            "this machine, or lower --memory, and start again.");
    }
    return result;
}

static const FieldSpec *find_spec(const MessageSpec *spec, const Cursor *at, const WireField *field,
                                  Error *error)
{
    static const uint8_t wire_types[] = {
        [FIELD_U32] = WIRE_VARINT,      [FIELD_U64] = WIRE_VARINT,  [FIELD_S32] = WIRE_VARINT,
        [FIELD_S64] = WIRE_VARINT,      [FIELD_BOOL] = WIRE_VARINT, [FIELD_FIXED32] = WIRE_FIXED32,
        [FIELD_FIXED64] = WIRE_FIXED64, [FIELD_BYTES] = WIRE_BYTES, [FIELD_LIST] = WIRE_BYTES,
    };
    if (field->number > spec->count) {
        cursor_error(at, error, "%s has no field %u", spec->name, field->number);
        return NULL;
    }
    const FieldSpec *found = &spec->fields[field->number - 1];
    if (wire_types[found->kind] != field->type) {
        cursor_error(at, error, "%s.%s has wire type %u", spec->name, found->name, field->type);
        return NULL;
    }
    return found;
}

/* The next field, known and of the right wire type, and not more often there than it may be. */
static const FieldSpec *next_field(const MessageSpec *spec, Cursor *body, WireField *field,
                                   uint32_t counts[MAX_FIELDS], Error *error)
{
    Cursor start = *body;
    if (cursor_field(body, field, error) != 0) {
        return NULL;
    }
    const FieldSpec *found = find_spec(spec, &start, field, error);
    if (found == NULL) {
        return NULL;
    }
    uint32_t limit = found->kind == FIELD_LIST ? found->limit : 1;
    if (counts[field->number - 1]++ == limit) {
        cursor_error(&start, error, "%s.%s is there more than %s", spec->name, found->name,
                     found->kind == FIELD_LIST ? "the format allows" : "once");
        return NULL;
    }
    return found;
}

/* Makes room for the lists of a message, of which body is all that has entries. */
static int allocate_lists(const MessageSpec *spec, Cursor body, Arena *arena, void *out, Error *error)
{
    uint32_t counts[MAX_FIELDS] = {0};
    while (!cursor_at_end(&body)) {
        WireField field;
        if (next_field(spec, &body, &field, counts, error) == NULL) {
            return -1;
        }
    }
    for (uint32_t i = 0; i < spec->count; i++) {
        if (spec->fields[i].kind == FIELD_LIST && counts[i] > 0) {
            BytesList *list = (BytesList *)((uint8_t *)out + spec->fields[i].offset);
            list->items = message_alloc(arena, counts[i] * sizeof *list->items, error);
            if (list->items == NULL) {
                return -1;
            }
        }
    }
    return 0;
}

static uint64_t unzigzag(uint64_t value)
{
    return value >> 1 ^ (0 - (value & 1));
}

/* The largest number that a field may hold. */
static uint64_t number_limit(const FieldSpec *spec)
{
    switch (spec->kind) {
    case FIELD_U32:
        return spec->limit;
    case FIELD_S32:
        return UINT32_MAX;
    case FIELD_BOOL:
        return 1;
    default:
        return UINT64_MAX;
    }
}

static void store(const FieldSpec *spec, const WireField *field, uint8_t *target)
{
    switch (spec->kind) {
    case FIELD_U32:
    case FIELD_FIXED32:
        *(uint32_t *)target = (uint32_t)field->value;
        break;
    case FIELD_U64:
    case FIELD_FIXED64:
        *(uint64_t *)target = field->value;
        break;
    case FIELD_S32:
        *(int32_t *)target = (int32_t)(uint32_t)unzigzag(field->value);
        break;
    case FIELD_S64:
        *(int64_t *)target = (int64_t)unzigzag(field->value);
        break;
    case FIELD_BOOL:
        *(bool *)target = field->value != 0;
        break;
    case FIELD_BYTES:
        *(Bytes *)target = field->bytes;
        break;
    case FIELD_LIST:
        ((BytesList *)target)->items[((BytesList *)target)->count++] = field->bytes;
        break;
    }
}

int message_decode(const MessageSpec *spec, Cursor body, Arena *arena, void *out, Error *error)
{
    uint32_t counts[MAX_FIELDS] = {0};
    memset(out, 0, spec->size);
    bool listed = false;
    while (!cursor_at_end(&body)) {
        Cursor start = body;
        WireField field;
        const FieldSpec *found = next_field(spec, &body, &field, counts, error);
        if (found == NULL) {
            return -1;
        }
        if (field.type == WIRE_VARINT && field.value > number_limit(found)) {
            return cursor_error(&start, error, "%s.%s is %" PRIu64 ", which is more than %" PRIu64,
                                spec->name, found->name, field.value, number_limit(found));
        }
        if (found->kind == FIELD_LIST && !listed) {
            if (allocate_lists(spec, start, arena, out, error) != 0) {
                return -1;
            }
            listed = true;
        }
        store(found, &field, (uint8_t *)out + found->offset);
    }
    return 0;
}
