/*
 * Objects are carved from one arena that lives as long as the registry: definitions are few, and batches on
 * other threads may point to any of them. Names of types are few, too, and stand there once.
 */
#include "registry.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "arena.h"

typedef struct Entry {
    uint32_t id;
    uint64_t connection; /* on which it was defined last */
    const SourceRelation *relation;
    UT_hash_handle hh;
} Entry;

typedef struct Word {
    UT_hash_handle hh;
    char text[];
} Word;

struct Registry {
    Arena *arena;
    Entry *entries;
    Word *words;
    uint64_t connection;
};

Registry *registry_new(void)
{
    Registry *registry = calloc(1, sizeof *registry);
    if (registry == NULL) {
        abort();
    }
    registry->arena = arena_new(16 * 1024);
    return registry;
}

void registry_free(Registry *registry)
{
    if (registry == NULL) {
        return;
    }
    HASH_CLEAR(hh, registry->entries);
    HASH_CLEAR(hh, registry->words);
    arena_free(registry->arena);
    free(registry);
}

void registry_begin(Registry *registry)
{
    registry->connection++;
}

static char *text_of(Arena *arena, Bytes bytes)
{
    return arena_strndup(arena, (const char *)bytes.data, bytes.size);
}

/* The same, one copy for all. */
static char *word_of(Registry *registry, Bytes bytes)
{
    Word *word;
    if (bytes.size == 0) {
        return text_of(registry->arena, bytes);
    }
    HASH_FIND(hh, registry->words, bytes.data, bytes.size, word);
    if (word == NULL) {
        word = arena_zalloc(registry->arena, sizeof *word + bytes.size + 1);
        memcpy(word->text, bytes.data, bytes.size);
        HASH_ADD_KEYPTR(hh, registry->words, word->text, bytes.size, word);
    }
    return word->text;
}

static bool text_is(const char *text, Bytes bytes)
{
    return strlen(text) == bytes.size && memcmp(text, bytes.data, bytes.size) == 0;
}

static void copy_columns(Registry *registry, SourceRelation *relation, const RelationRecord *record)
{
    Arena *arena = registry->arena;
    relation->column_count = record->column_count;
    relation->columns = arena_zalloc(arena, (record->column_count + 1) * sizeof *relation->columns);
    relation->keys = arena_zalloc(arena, (record->column_count + 1) * sizeof *relation->keys);
    for (uint32_t i = 0; i < record->column_count; i++) {
        const RelationColumnRecord *from = &record->columns[i];
        relation->columns[i] = (SourceColumn){
            .number = from->number,
            .name = text_of(arena, from->name),
            .type = from->type,
            .base_type = from->base_type,
            .type_schema = word_of(registry, from->type_schema),
            .type_name = word_of(registry, from->type_name),
            .typmod = from->typmod,
            .key = from->key,
            .format = from->format,
        };
        if (from->key) {
            relation->keys[relation->key_count++] = i;
        }
    }
}

static const SourceRelation *make_relation(Registry *registry, const RelationRecord *record)
{
    Arena *arena = registry->arena;
    SourceRelation *relation = arena_zalloc(arena, sizeof *relation);
    relation->id = record->id;
    relation->fingerprint = record->fingerprint;
    relation->schema = text_of(arena, record->schema);
    relation->name = text_of(arena, record->name);
    relation->identity = record->identity;
    copy_columns(registry, relation, record);
    return relation;
}

static bool is_same(const SourceRelation *relation, const RelationRecord *record)
{
    return relation->fingerprint == record->fingerprint && text_is(relation->schema, record->schema) &&
           text_is(relation->name, record->name);
}

const SourceRelation *registry_define(Registry *registry, const RelationRecord *record)
{
    Entry *entry;
    HASH_FIND(hh, registry->entries, &record->id, sizeof record->id, entry);
    if (entry == NULL) {
        entry = arena_zalloc(registry->arena, sizeof *entry);
        entry->id = record->id;
        HASH_ADD(hh, registry->entries, id, sizeof entry->id, entry);
    }
    if (entry->relation == NULL || !is_same(entry->relation, record)) {
        entry->relation = make_relation(registry, record);
    }
    entry->connection = registry->connection;
    return entry->relation;
}

const SourceRelation *registry_find(const Registry *registry, uint32_t id)
{
    Entry *entry;
    HASH_FIND(hh, registry->entries, &id, sizeof id, entry);
    return entry != NULL && entry->connection == registry->connection ? entry->relation : NULL;
}
