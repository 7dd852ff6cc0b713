/*
 * The server tells of a changed catalog row by the cache that holds it and the hash of its key (CallSyscacheCallbacks in
 * inval.c, all majors); GetSysCacheHashValue gives the same hash for a key at hand. Two keys of one hash cost a description
 * made anew, no more.
 */
#include "type_table.h"

#define INITIAL_TYPES 64

typedef struct UsedRow {
    uint32 cache;
    uint32 hash;
} UsedRow;

struct TypeTable {
    MemoryContext context;
    HTAB *types; /* ColumnType */
    HTAB *used;  /* UsedRow, all key */
    bool binary;
};

static HTAB *table_new(MemoryContext context, Size key, Size entry)
{
    HASHCTL control = {.keysize = key, .entrysize = entry, .hcxt = context};
    return hash_create("penstock types", INITIAL_TYPES, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

TypeTable *type_table_new(MemoryContext context, bool binary)
{
    TypeTable *types = MemoryContextAllocZero(context, sizeof(TypeTable));
    types->context = context;
    types->binary = binary;
    types->types = table_new(context, sizeof(Oid), sizeof(ColumnType));
    types->used = table_new(context, sizeof(UsedRow), sizeof(UsedRow));
    return types;
}

/* Before the row is read, so that no change of it can fall between. */
static void mark_used(TypeTable *types, int cache, Oid key)
{
    UsedRow row = {.cache = (uint32)cache,
                   .hash = GetSysCacheHashValue(cache, ObjectIdGetDatum(key), 0, 0, 0)};
    bool found;
    (void)hash_search(types->used, &row, HASH_ENTER, &found);
}

bool type_table_uses(const TypeTable *types, int cache, uint32 hash)
{
    UsedRow row = {.cache = (uint32)cache, .hash = hash};
    return hash == 0 || hash_search(types->used, &row, HASH_FIND, NULL) != NULL;
}

const char *type_table_namespace(TypeTable *types, Oid namespace)
{
    mark_used(types, NAMESPACEOID, namespace);
    const char *name = get_namespace_name(namespace);
    return name != NULL ? name : "";
}

static FormData_pg_type type_row(TypeTable *types, Oid type)
{
    mark_used(types, TYPEOID, type);
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

static Bytes bytes_of_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

/* In the table's memory; entered only when it is whole, since reading the catalogs may fail. */
static ColumnType describe(TypeTable *types, Oid oid)
{
    FormData_pg_type row = type_row(types, oid);
    ColumnType type = {.type = oid, .base = oid};
    for (FormData_pg_type below = row; below.typtype == TYPTYPE_DOMAIN; below = type_row(types, type.base)) {
        type.base = below.typbasetype;
    }
    type.name = bytes_of_text(pstrdup(NameStr(row.typname)));
    type.schema = bytes_of_text(type_table_namespace(types, row.typnamespace));
    value_encoder_init(&type.encoder, type.base, types->binary, types->context);
    return type;
}

ColumnType *type_table_find(TypeTable *types, Oid oid)
{
    ColumnType *found = hash_search(types->types, &oid, HASH_FIND, NULL);
    if (found != NULL) {
        return found;
    }
    MemoryContext previous = MemoryContextSwitchTo(types->context);
    ColumnType type = describe(types, oid);
    MemoryContextSwitchTo(previous);
    bool entered;
    found = hash_search(types->types, &oid, HASH_ENTER, &entered);
    *found = type;
    return found;
}
