/*
 * A hash table from relation OID to a small entry that points to the relation's definition.
 *
 * Every definition carries the generation of the cache in which it was made, and holds while the two are
 * equal. An invalidation of one relation sets its entry's generation to 0; one that may concern any relation
 * (relcache reset, changed type, schema or publication) moves the cache to the next generation. Both are O(1) and touch no
 * memory but the marks, since the server calls back at moments when catalogs cannot be read. A definition
 * that was invalidated while it was being computed is computed again at its next use, because the mark is set
 * before the reading starts.
 *
 * Callbacks stay registered for the life of the server process, caches come and go with decoding contexts. So
 * the callbacks are registered once and walk the list of living caches; a cache leaves the list when the
 * memory context that holds it is reset or deleted, which also happens after errors.
 *
 * The cache starts anew when it holds more than MAX_CACHED_COLUMNS columns, so that a database with very many
 * tables does not bloat the server. Relations are then described on the wire once more, which readers take as
 * no change.
 */
#include "compat.h"
#include "relation_cache.h"

#include "fingerprint.h"
#include "publication.h"

#define MAX_CACHED_COLUMNS 32768
#define INITIAL_RELATIONS 256

typedef struct CacheEntry {
    Oid relation; /* the key: first */
    uint64 generation;
    uint64 sent; /* fingerprint that the connection's reader has; 0 for none */
    MemoryContext context;
    RelationDefinition *definition;
} CacheEntry;

struct RelationCache {
    RelationCache *next; /* in the list of living caches */
    MemoryContextCallback unlink;
    MemoryContext parent;
    MemoryContext context; /* the table and all definitions */
    HTAB *entries;
    uint64 generation; /* from 1 */
    size_t columns;    /* held now */
    const Options *options;
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
            continue;
        }
        CacheEntry *entry = hash_search(cache->entries, &relation, HASH_FIND, NULL);
        if (entry != NULL) {
            entry->generation = 0;
        }
    }
}

static void catalog_invalidated(Datum arg, int cache, uint32 hash)
{
    (void)cache;
    (void)hash;
    relation_invalidated(arg, InvalidOid);
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
    CacheRegisterSyscacheCallback(TYPEOID, catalog_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(NAMESPACEOID, catalog_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(PUBLICATIONOID, catalog_invalidated, (Datum)0);
    CacheRegisterSyscacheCallback(PUBLICATIONRELMAP, catalog_invalidated, (Datum)0);
#if PG_VERSION_NUM >= 150000
    CacheRegisterSyscacheCallback(PUBLICATIONNAMESPACEMAP, catalog_invalidated, (Datum)0);
#endif
}

/* Makes the table, empty. No invalidation can arrive in between. */
static void entries_reset(RelationCache *cache)
{
    if (cache->context != NULL) {
        MemoryContextReset(cache->context);
    } else {
        cache->context = AllocSetContextCreate(cache->parent, "penstock relations", ALLOCSET_DEFAULT_SIZES);
    }
    HASHCTL control = {.keysize = sizeof(Oid), .entrysize = sizeof(CacheEntry), .hcxt = cache->context};
    cache->entries =
        hash_create("penstock relations", INITIAL_RELATIONS, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    cache->columns = 0;
}

RelationCache *relation_cache_new(MemoryContext parent, const Options *options)
{
    RelationCache *cache = MemoryContextAllocZero(parent, sizeof(RelationCache));
    cache->parent = parent;
    cache->generation = 1;
    cache->options = options;
    entries_reset(cache);
    callbacks_register();
    cache->next = living.caches;
    living.caches = cache;
    cache->unlink = (MemoryContextCallback){.func = cache_unlink, .arg = cache};
    MemoryContextRegisterResetCallback(parent, &cache->unlink);
    return cache;
}

static Bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static ReplicaIdentity identity_of(char relreplident)
{
    switch (relreplident) {
    case REPLICA_IDENTITY_FULL:
        return IDENTITY_FULL;
    case REPLICA_IDENTITY_INDEX:
        return IDENTITY_INDEX;
    case REPLICA_IDENTITY_NOTHING:
        return IDENTITY_NOTHING;
    default:
        return IDENTITY_DEFAULT;
    }
}

static FormData_pg_type type_row(Oid type)
{
    HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
    if (!HeapTupleIsValid(tuple)) {
        ereport(ERROR,
                (errcode(ERRCODE_INTERNAL_ERROR), errmsg("penstock: type %u is not in pg_type", type)));
    }
    FormData_pg_type row;
    /* The row in the cache may end before columns that only the catalog's own readers see. */
    memcpy(&row, GETSTRUCT(tuple), offsetof(FormData_pg_type, typcollation) + sizeof(Oid));
    ReleaseSysCache(tuple);
    return row;
}

static void column_describe(CachedColumn *column, RelationColumnRecord *record,
                            const FormData_pg_attribute *attribute, bool binary)
{
    FormData_pg_type type = type_row(attribute->atttypid);
    Oid base = attribute->atttypid;
    int32 typmod = attribute->atttypmod;
    for (FormData_pg_type row = type; row.typtype == TYPTYPE_DOMAIN; row = type_row(base)) {
        base = row.typbasetype;
    }
    char *schema = get_namespace_name(type.typnamespace);
    value_encoder_init(&column->encoder, base, binary, CurrentMemoryContext);
    *record = (RelationColumnRecord){
        .number = (uint32_t)attribute->attnum,
        .name = bytes_of_text(pstrdup(NameStr(attribute->attname))),
        .type = attribute->atttypid,
        .base_type = base,
        .type_schema = bytes_of_text(schema != NULL ? schema : ""),
        .type_name = bytes_of_text(pstrdup(NameStr(type.typname))),
        .typmod = typmod,
        .format = value_encoder_format(&column->encoder),
    };
}

/* Live columns in attribute order; what PostgreSQL computes on reading (18's virtual ones) is not in the row.
 */
static bool attribute_is_sent(const FormData_pg_attribute *attribute)
{
#if PG_VERSION_NUM >= 180000
    if (attribute->attgenerated == 'v') {
        return false;
    }
#endif
    return !attribute->attisdropped;
}

static void columns_describe(RelationDefinition *definition, TupleDesc description, bool binary)
{
    int natts = description->natts;
    RelationColumnRecord *records = palloc0((Size)(natts + 1) * sizeof(RelationColumnRecord));
    definition->columns = palloc0((Size)(natts + 1) * sizeof(CachedColumn));
    uint32_t count = 0;
    for (int i = 0; i < natts; i++) {
        const FormData_pg_attribute *attribute = TupleDescAttr(description, i);
        if (attribute_is_sent(attribute)) {
            definition->columns[count].attribute = i;
            column_describe(&definition->columns[count], &records[count], attribute, binary);
            count++;
        }
    }
    definition->record.columns = records;
    definition->record.column_count = count;
    for (int side = 0; side < 2; side++) {
        definition->images[side].values = palloc0((Size)(natts + 1) * sizeof(Datum));
        definition->images[side].nulls = palloc0((Size)(natts + 1) * sizeof(bool));
    }
}

/* Marks the columns of the identity index, which the server chooses: a deferrable primary key is none. */
static bool keys_from_index(const RelationDefinition *definition, RelationColumnRecord *records, Oid index)
{
    if (!OidIsValid(index)) {
        return false;
    }
    HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(tuple)) {
        return false;
    }
    const FormData_pg_index *form = (const FormData_pg_index *)GETSTRUCT(tuple);
    for (int key = 0; key < form->indnkeyatts; key++) {
        for (uint32_t i = 0; i < definition->record.column_count; i++) {
            if (definition->columns[i].attribute + 1 == form->indkey.values[key]) {
                records[i].key = true;
            }
        }
    }
    ReleaseSysCache(tuple);
    return true;
}

static void identity_describe(RelationDefinition *definition, Relation relation)
{
    ReplicaIdentity identity = identity_of(relation->rd_rel->relreplident);
    RelationColumnRecord *records = (RelationColumnRecord *)definition->record.columns;
    definition->record.identity = identity;
    if (identity == IDENTITY_FULL) {
        for (uint32_t i = 0; i < definition->record.column_count; i++) {
            records[i].key = true;
        }
        definition->has_identity = true;
    } else if (identity != IDENTITY_NOTHING) {
        definition->has_identity = keys_from_index(definition, records, RelationGetReplicaIndex(relation));
    }
}

/* Tables that are the user's data: no catalogs, no information_schema, no materialized views, nothing
 * temporary. */
static bool is_published(Relation relation)
{
    char kind = relation->rd_rel->relkind;
    return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
           relation->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT &&
           RelationGetRelid(relation) >= FirstNormalObjectId;
}

/* Computes the definition in the current memory context. */
static RelationDefinition *definition_new(Relation relation, const Options *options)
{
    RelationDefinition *definition = palloc0(sizeof(RelationDefinition));
    definition->published = is_published(relation);
    definition->record.id = RelationGetRelid(relation);
    if (!definition->published) {
        return definition;
    }
    const char *schema = get_namespace_name(RelationGetNamespace(relation));
    schema = schema != NULL ? schema : "";
    definition->published =
        options_want_table(options, schema, RelationGetRelationName(relation)) &&
        (options->publications.text == NULL || publication_has_table(options->publications.names, relation));
    if (!definition->published) {
        return definition;
    }
    definition->record.schema = bytes_of_text(schema);
    definition->record.name = bytes_of_text(pstrdup(RelationGetRelationName(relation)));
    columns_describe(definition, RelationGetDescr(relation), options->binary);
    identity_describe(definition, relation);
    definition->fingerprint = relation_fingerprint(&definition->record);
    return definition;
}

static CacheEntry *entry_of(RelationCache *cache, Oid relation)
{
    bool found;
    CacheEntry *entry = hash_search(cache->entries, &relation, HASH_ENTER, &found);
    if (!found) {
        *entry = (CacheEntry){.relation = relation};
    }
    return entry;
}

static void entry_refresh(RelationCache *cache, CacheEntry *entry, Relation relation)
{
    if (entry->context == NULL) {
        entry->context = AllocSetContextCreate(cache->context, "penstock relation", ALLOCSET_SMALL_SIZES);
    } else {
        entry->definition = NULL;
        MemoryContextReset(entry->context);
    }
    entry->generation = cache->generation;
    MemoryContext previous = MemoryContextSwitchTo(entry->context);
    entry->definition = definition_new(relation, cache->options);
    MemoryContextSwitchTo(previous);
    cache->columns += entry->definition->record.column_count + 4;
}

RelationDefinition *relation_cache_find(RelationCache *cache, Relation relation)
{
    CacheEntry *entry = entry_of(cache, RelationGetRelid(relation));
    if (entry->definition != NULL && entry->generation == cache->generation) {
        return entry->definition;
    }
    if (cache->columns > MAX_CACHED_COLUMNS) {
        entries_reset(cache);
        entry = entry_of(cache, RelationGetRelid(relation));
    }
    entry_refresh(cache, entry, relation);
    return entry->definition;
}

bool relation_cache_must_send(RelationCache *cache, const RelationDefinition *definition)
{
    CacheEntry *entry = entry_of(cache, definition->record.id);
    if (entry->sent == definition->fingerprint) {
        return false;
    }
    entry->sent = definition->fingerprint;
    return true;
}
