/*
 * FNV-1a over the fields in order, each text with its length in front. The number never leaves the
 * connection, so it need not be the one that the wire carries.
 */
#include "fingerprint.h"

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    }
    return hash;
}

static uint64_t mix_number(uint64_t hash, uint64_t number)
{
    return mix(hash, &number, sizeof(number));
}

static uint64_t mix_bytes(uint64_t hash, Bytes bytes)
{
    return mix(mix_number(hash, bytes.size), bytes.data, bytes.size);
}

uint64_t relation_fingerprint(const RelationRecord *record)
{
    uint64_t hash = mix_number(FNV_START, record->id);
    hash = mix_bytes(mix_bytes(hash, record->schema), record->name);
    hash = mix_number(mix_number(hash, (uint64_t)record->identity), record->column_count);
    for (uint32_t i = 0; i < record->column_count; i++) {
        const RelationColumnRecord *column = &record->columns[i];
        hash = mix_bytes(mix_number(hash, column->number), column->name);
        hash = mix_number(mix_number(hash, column->type), column->base_type);
        hash = mix_bytes(mix_bytes(hash, column->type_schema), column->type_name);
        hash = mix_number(hash, (uint64_t)(int64_t)column->typmod);
        hash = mix_number(hash, ((uint64_t)column->format << 1) | column->key);
    }
    return hash != 0 ? hash : 1;
}
