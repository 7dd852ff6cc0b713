/*
 *     array       dimensions 4, flags 4, element's OID 4, (length 4, lower bound 4) each, then size 4 and value each; -1: null
 *     record      fields 4, then OID 4, size 4 and value each (dropped columns are not sent)
 *     range       flags 1, then size 4 and value for each bound that there is
 *     multirange  ranges 4, then size 4 and range each
 *
 * (array_send, record_send, range_send, multirange_send; 11 to 18.) Domains are sent as what is beneath; an OID of theirs is in
 * arrays of them and in fields.
 */
#include "oids.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* "PGCOPY\n\377\r\n\0", flags, length of the header's extension. */
#define SIGNATURE_SIZE 11
#define HEADER_SIZE (SIGNATURE_SIZE + 8)
#define DEPTH 32

typedef struct Entry {
    UT_hash_handle hh;
    OidsType type;
} Entry;

struct Oids {
    Entry *entries;
    uint32_t *columns;
    size_t column_count;
};

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

Oids *oids_new(void)
{
    return zeroed(sizeof(Oids));
}

void oids_free(Oids *oids)
{
    while (oids != NULL && oids->entries != NULL) {
        Entry *entry = oids->entries;
        HASH_DEL(oids->entries, entry);
        free(entry);
    }
    if (oids != NULL) {
        free(oids->columns);
        free(oids);
    }
}

const OidsType *oids_find(const Oids *oids, uint32_t oid)
{
    Entry *entry;
    HASH_FIND(hh, oids->entries, &oid, sizeof oid, entry);
    return entry != NULL ? &entry->type : NULL;
}

void oids_add(Oids *oids, const OidsType *type)
{
    if (oids_find(oids, type->oid) == NULL) {
        Entry *entry = zeroed(sizeof *entry);
        entry->type = *type;
        HASH_ADD(hh, oids->entries, type.oid, sizeof entry->type.oid, entry);
    }
}

void oids_columns(Oids *oids, const uint32_t *types, size_t count)
{
    free(oids->columns);
    oids->columns = zeroed((count + 1) * sizeof *oids->columns);
    memcpy(oids->columns, types, count * sizeof *types);
    oids->column_count = count;
}

/* What is left of a value. */
typedef struct Piece {
    char *at;
    size_t left;
} Piece;

static bool take_number(Piece *piece, int32_t *out)
{
    uint32_t number;
    if (piece->left < sizeof number) {
        return false;
    }
    memcpy(&number, piece->at, sizeof number);
    *out = (int32_t)ntohl(number);
    piece->at += sizeof number;
    piece->left -= sizeof number;
    return true;
}

/* Takes an OID and puts that of the target in its place. */
static bool take_oid(const Oids *oids, Piece *piece, uint32_t *oid)
{
    char *place = piece->at;
    int32_t number;
    if (!take_number(piece, &number)) {
        return false;
    }
    *oid = (uint32_t)number;
    const OidsType *type = oids_find(oids, *oid);
    if (type != NULL) {
        uint32_t other = htonl(type->on_target);
        memcpy(place, &other, sizeof other);
    }
    return true;
}

/* Takes size and value; *null when there is none. */
static bool take_value(Piece *piece, Piece *value, bool *null)
{
    int32_t size;
    if (!take_number(piece, &size) || size < -1 || (size > 0 && (size_t)size > piece->left)) {
        return false;
    }
    *null = size == -1;
    *value = (Piece){piece->at, size > 0 ? (size_t)size : 0};
    piece->at += value->left;
    piece->left -= value->left;
    return true;
}

static bool change_value(const Oids *oids, const OidsType *type, Piece piece, int depth);

/* Values of one type, each with its size, to the end. */
static bool change_values(const Oids *oids, uint32_t inner, Piece piece, int depth)
{
    const OidsType *type = oids_find(oids, inner);
    while (type != NULL && type->changes && piece.left > 0) {
        Piece value;
        bool null;
        if (!take_value(&piece, &value, &null) || (!null && !change_value(oids, type, value, depth))) {
            return false;
        }
    }
    return true;
}

static bool change_array(const Oids *oids, Piece piece, int depth)
{
    int32_t dimensions, flags;
    uint32_t element;
    if (!take_number(&piece, &dimensions) || !take_number(&piece, &flags) ||
        !take_oid(oids, &piece, &element) || dimensions < 0 || dimensions > 6 ||
        piece.left < (size_t)dimensions * 8) {
        return false;
    }
    piece.at += (size_t)dimensions * 8;
    piece.left -= (size_t)dimensions * 8;
    return change_values(oids, element, piece, depth);
}

static bool change_record(const Oids *oids, Piece piece, int depth)
{
    int32_t fields;
    if (!take_number(&piece, &fields)) {
        return false;
    }
    for (int32_t i = 0; i < fields; i++) {
        uint32_t oid;
        Piece value;
        bool null;
        if (!take_oid(oids, &piece, &oid) || !take_value(&piece, &value, &null)) {
            return false;
        }
        const OidsType *type = oids_find(oids, oid);
        if (!null && type != NULL && type->changes && !change_value(oids, type, value, depth)) {
            return false;
        }
    }
    return true;
}

/* Flags or a number, then values. */
static bool change_behind(const Oids *oids, uint32_t inner, Piece piece, size_t front, int depth)
{
    return piece.left >= front &&
           change_values(oids, inner, (Piece){piece.at + front, piece.left - front}, depth);
}

static bool change_value(const Oids *oids, const OidsType *type, Piece piece, int depth)
{
    if (depth > DEPTH) {
        return false;
    }
    switch (type->kind) {
    case OIDS_ARRAY:
        return change_array(oids, piece, depth + 1);
    case OIDS_RECORD:
        return change_record(oids, piece, depth + 1);
    case OIDS_RANGE:
        return change_behind(oids, type->inner, piece, 1, depth + 1);
    case OIDS_MULTIRANGE:
        return change_behind(oids, type->inner, piece, 4, depth + 1);
    default:
        return true;
    }
}

static bool skip_header(Piece *piece)
{
    int32_t extension = -1;
    if (piece->left < HEADER_SIZE || memcmp(piece->at, "PGCOPY\n\377\r\n", SIGNATURE_SIZE) != 0) {
        return false;
    }
    piece->at += HEADER_SIZE - 4;
    piece->left -= HEADER_SIZE - 4;
    if (!take_number(piece, &extension) || extension < 0 || (size_t)extension > piece->left) {
        return false;
    }
    piece->at += extension;
    piece->left -= (size_t)extension;
    return true;
}

/* -1 stands for the number of columns in the trailer. */
static bool change_row(const Oids *oids, Piece piece)
{
    if (piece.left < 2) {
        return false;
    }
    int columns = (int16_t)((uint8_t)piece.at[0] << 8 | (uint8_t)piece.at[1]);
    piece = (Piece){piece.at + 2, piece.left - 2};
    if (columns != -1 && (size_t)columns != oids->column_count) {
        return false;
    }
    for (int i = 0; i < columns; i++) {
        Piece value;
        bool null;
        if (!take_value(&piece, &value, &null)) {
            return false;
        }
        const OidsType *type = oids_find(oids, oids->columns[i]);
        if (!null && type != NULL && type->changes && !change_value(oids, type, value, 0)) {
            return false;
        }
    }
    return piece.left == 0;
}

int oids_row(const Oids *oids, char *data, size_t size, bool first, Error *error)
{
    Piece piece = {data, size};
    bool fine = !first || skip_header(&piece);
    /* Of an empty table the header comes by itself on some versions. */
    fine = fine && ((first && piece.left == 0) || change_row(oids, piece));
    return fine ? 0
                : error_set(error, ERROR_PROTOCOL, "a row in binary is not as the server's format has it");
}
