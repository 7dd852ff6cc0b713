/*
 * A hash table from relation OID to a small entry, which points to the relation's definition and remembers which version of
 * it the reader has. The record itself, with all names, is there only while it is needed: it is made when a relation is
 * described, and sent at once or never.
 *
 * Every entry carries the generation of the cache in which its definition was made, and holds while the two are equal. An
 * invalidation of one relation sets its entry's generation to 0; one that may concern any (relcache reset, changed
 * publication, a type or schema that a description used) moves the cache to the next generation. Both are O(1) and touch no
 * memory but the marks, since the server calls back at moments when catalogs cannot be read, also while a relation is
 * being described: then it is described again at its next use, because the mark is set before the reading starts.
 * Invalidations of what no description used change nothing; a relation that says the same after one is not sent again.
 *
 * Callbacks stay registered for the life of the server process, caches come and go with decoding contexts. So
 * the callbacks are registered once and walk the list of living caches; a cache leaves the list when the
 * memory context that holds it is reset or deleted, which also happens after errors.
 */
#include "relation_cache.h"

#include "type_table.h"

#define MAX_DEFINITION_BYTES ((Size)64 * 1024 * 1024)
#define MAX_RELATIONS (1 << 20)
#define INITIAL_RELATIONS 256
#define CHUNK_HEADER 16 /* of an allocation */

typedef struct CacheEntry {
    Oid relation; /* the key: first */
    uint32
        age; /* of the definitions' memory: another one than the cache's says that the definition is gone */
    uint64 generation;
    uint64 sent; /* fingerprint that the connection's reader has; 0 for none */
    RelationDefinition *definition;
} CacheEntry;

struct RelationCache {
    RelationCache *next; /* in the list of living caches */
    MemoryContextCallback unlink;
    const Options *options;
    uint64 generation; /* from 1 */

    MemoryContext entry_context;
    HTAB *entries; /* NULL while it is made anew */
    long entry_count;

    MemoryContext type_context;
    TypeTable *types; /* NULL while it is made anew */
    uint64 type_generation;

    MemoryContext definition_context;
    uint32 definition_age; /* from 1 */
    Size definition_bytes;

    MemoryContext record_context; /* of the record, reset at each description */
    RelationRecord record;
    CacheEntry *found;
};

/* What invalidation callbacks need, and all that survives a decoding context. */
static struct {
    bool registered;
    RelationCache *caches;
} living;

static void relation_invalidated(Datum arg, Oid relation)
{
    (void)arg;
    for (RelationCache *cache = living.caches; cache != NULL; cache = cache->next) {
        if (relation == InvalidOid) {
            cache->generation++;
        } else if (cache->entries != NULL) {
            CacheEntry *entry = hash_search(cache->entries, &relation, HASH_FIND, NULL);
            if (entry != NULL) {
                entry->generation = 0;
            }
        }
    }
}

static void type_invalidated(Datum arg, int catalog, uint32 hash)
{
    (void)arg;
    for (RelationCache *cache = living.caches; cache != NULL; cache = cache->next) {
        if (cache->types != NULL && type_table_uses(cache->types, catalog, hash)) {
            cache->generation++;
        }
    }
}

static void publication_invalidated(Datum arg, int catalog, uint32 hash)
{
    (void)arg;
    (void)catalog;
    (void)hash;
    for (RelationCache *cache = living.caches; cache != NULL; cache = cache->next) {
        if (cache->options->publications.text != NULL) {
            cache->generation++;
        }
    }
}

static void cache_unlink(void *arg)
{
    RelationCache **link = &living.caches;
    while (*link != NULL && *link != arg) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = (*link)->next;
    }
}

static void callbacks_register(void)
{
    if (living.registered) {
        return;
    }
    living.registered = true;
    CacheRegisterRelcacheCallback(relation_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(TYPEOID, type_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, type_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(PUBLICATIONOID, publication_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(PUBLICATIONRELMAP, publication_invalidated, (Datum)0);
#if PG_VERSION_NUM >= 150000
    CacheRegisterSyscacheCallback(PUBLICATIONNAMESPACEMAP, publication_invalidated, (Datum)0);
#endif
}

/* The pointers go first: an error in between must leave nothing that points to freed memory. */
static void entries_reset(RelationCache *cache)
{
    cache->entries = NULL;
    cache->found = NULL;
    cache->entry_count = 0;
    MemoryContextReset(cache->entry_context);
    HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(CacheEntry), .hcxt = cache->entry_context};
    cache->entries =
        hash_create("penstock relations", INITIAL_RELATIONS, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* Entries that point to one of the definitions see by their age that it is gone. */
static void definitions_reset(RelationCache *cache)
{
    cache->definition_age++;
    cache->definition_bytes = 0;
    MemoryContextReset(cache->definition_context);
}

/* All definitions that point to the types are of older generations by now, and are made anew before they are used. */
static void types_reset(RelationCache *cache)
{
    uint64 generation = cache->generation;
    cache->types = NULL;
    MemoryContextReset(cache->type_context);
    cache->types = type_table_new(cache->type_context, cache->options->binary);
    cache->type_generation = generation;
}

RelationCache *relation_cache_new(MemoryContext parent, const Options *options)
{
    RelationCache *cache = MemoryContextAllocZero(parent, sizeof(RelationCache));
    cache->generation = 1;
    cache->options = options;
    cache->entry_context = AllocSetContextCreate(parent, "penstock relations", ALLOCSET_DEFAULT_SIZES);
    cache->type_context = AllocSetContextCreate(parent, "penstock types", ALLOCSET_DEFAULT_SIZES);
    cache->definition_context = AllocSetContextCreate(parent, "penstock definitions", ALLOCSET_DEFAULT_SIZES);
    cache->record_context = AllocSetContextCreate(parent, "penstock relation record", ALLOCSET_DEFAULT_SIZES);
    entries_reset(cache);
    definitions_reset(cache);
    types_reset(cache);
    callbacks_register();
    cache->next = living.caches;
    living.caches = cache;
    cache->unlink = (MemoryContextCallback){.func = cache_unlink, .arg = cache};
    MemoryContextRegisterResetCallback(parent, &cache->unlink);
    return cache;
}

static CacheEntry *entry_of(RelationCache *cache, Oid relation)
{
    bool found;
    CacheEntry *entry = hash_search(cache->entries, &relation, HASH_ENTER, &found);
    if (!found) {
        *entry = (CacheEntry){.relation = relation};
        cache->entry_count++;
    }
    return entry;
}

static void definition_drop(RelationCache *cache, CacheEntry *entry)
{
    RelationDefinition *definition = entry->definition;
    entry->definition = NULL;
    if (definition != NULL && entry->age == cache->definition_age) {
        cache->definition_bytes -= relation_definition_size(definition) + CHUNK_HEADER;
        pfree(definition);
    }
}

static void entry_refresh(RelationCache *cache, CacheEntry *entry, Relation relation)
{
    definition_drop(cache, entry);
    if (cache->definition_bytes > MAX_DEFINITION_BYTES) {
        definitions_reset(cache);
    }
    if (cache->type_generation != cache->generation) {
        types_reset(cache);
    }
    MemoryContextReset(cache->record_context);
    entry->generation = cache->generation;
    entry->age = cache->definition_age;
    MemoryContext previous = MemoryContextSwitchTo(cache->record_context);
    RelationDefinition *definition =
        relation_describe(relation, cache->options, cache->types, cache->definition_context, &cache->record);
    MemoryContextSwitchTo(previous);
    entry->definition = definition;
    cache->definition_bytes += relation_definition_size(definition) + CHUNK_HEADER;
}

/* Also: its record, should the reader not have it, is not gone. */
static bool is_current(const RelationCache *cache, const CacheEntry *entry)
{
    return entry->definition != NULL && entry->age == cache->definition_age &&
           entry->generation == cache->generation &&
           (!entry->definition->published || entry->definition->fingerprint == entry->sent);
}

RelationDefinition *relation_cache_find(RelationCache *cache, Relation relation)
{
    CacheEntry *entry = entry_of(cache, RelationGetRelid(relation));
    if (!is_current(cache, entry)) {
        if (cache->entry_count > MAX_RELATIONS) {
            definitions_reset(cache);
            entries_reset(cache);
            entry = entry_of(cache, RelationGetRelid(relation));
        }
        entry_refresh(cache, entry, relation);
    }
    cache->found = entry;
    return entry->definition;
}

const RelationRecord *relation_cache_unsent(RelationCache *cache)
{
    CacheEntry *entry = cache->found;
    if (entry->sent == entry->definition->fingerprint) {
        return NULL;
    }
    entry->sent = entry->definition->fingerprint;
    return &cache->record;
}
