/*
 * The fingerprint is FNV-1a over the record's fields in order, each text with its length in front. It never leaves the
 * connection, so it need not be the one that the wire carries.
 */
#include "relation_describe.h"

#include "publication.h"

#define FNV_START 0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

static uint64 mix(uint64 hash, const void *data, size_t size)
{
    const uint8 *bytes = data;
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ bytes[i]) * FNV_PRIME;
    }
    return hash;
}

static uint64 mix_number(uint64 hash, uint64 number)
{
    return mix(hash, &number, sizeof(number));
}

static uint64 mix_bytes(uint64 hash, Bytes bytes)
{
    return mix(mix_number(hash, bytes.size), bytes.data, bytes.size);
}

/* Never 0. record->fingerprint itself is not read. */
static uint64 fingerprint_of(const RelationRecord *record)
{
    uint64 hash = mix_number(FNV_START, record->id);
    hash = mix_bytes(mix_bytes(hash, record->schema), record->name);
    hash = mix_number(mix_number(hash, (uint64)record->identity), record->column_count);
    for (uint32 i = 0; i < record->column_count; i++) {
        const RelationColumnRecord *column = &record->columns[i];
        hash = mix_bytes(mix_number(hash, column->number), column->name);
        hash = mix_number(mix_number(hash, column->type), column->base_type);
        hash = mix_bytes(mix_bytes(hash, column->type_schema), column->type_name);
        hash = mix_number(hash, (uint64)(int64)column->typmod);
        hash = mix_number(hash, ((uint64)column->format << 1) | column->key);
    }
    return hash != 0 ? hash : 1;
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

static void column_describe(CachedColumn *column, RelationColumnRecord *record,
                            const FormData_pg_attribute *attribute, TypeTable *types)
{
    ColumnType *type = type_table_find(types, attribute->atttypid);
    const char *name = pstrdup(NameStr(attribute->attname));
    *column = (CachedColumn){.encoder = &type->encoder, .attribute = (int16)(attribute->attnum - 1)};
    *record = (RelationColumnRecord){
        .number = (uint32)attribute->attnum,
        .name = bytes_of(name, strlen(name)),
        .type = attribute->atttypid,
        .base_type = type->base,
        .type_schema = type->schema,
        .type_name = type->name,
        .typmod = attribute->atttypmod,
        .format = value_encoder_format(&type->encoder),
    };
}

/* Live columns in attribute order; what PostgreSQL computes on reading (18's virtual ones) is not in the row. */
static bool attribute_is_sent(const FormData_pg_attribute *attribute)
{
#if PG_VERSION_NUM >= 180000
    if (attribute->attgenerated == 'v') {
        return false;
    }
#endif
    return !attribute->attisdropped;
}

static uint32 columns_describe(CachedColumn *columns, RelationColumnRecord *records, TupleDesc description,
                               TypeTable *types)
{
    uint32 count = 0;
    for (int i = 0; i < description->natts; i++) {
        const FormData_pg_attribute *attribute = TupleDescAttr(description, i);
        if (attribute_is_sent(attribute)) {
            column_describe(&columns[count], &records[count], attribute, types);
            count++;
        }
    }
    return count;
}

/* Marks the columns of the identity index, which the server chooses: a deferrable primary key is none. */
static bool keys_from_index(RelationDefinition *definition, Oid index)
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
        for (uint32 i = 0; i < definition->column_count; i++) {
            if (definition->columns[i].attribute + 1 == form->indkey.values[key]) {
                definition->columns[i].key = true;
            }
        }
    }
    ReleaseSysCache(tuple);
    return true;
}

static void identity_describe(RelationDefinition *definition, Relation relation)
{
    definition->identity = identity_of(relation->rd_rel->relreplident);
    if (definition->identity == IDENTITY_FULL) {
        for (uint32 i = 0; i < definition->column_count; i++) {
            definition->columns[i].key = true;
        }
        definition->has_identity = true;
    } else if (definition->identity != IDENTITY_NOTHING) {
        definition->has_identity = keys_from_index(definition, RelationGetReplicaIndex(relation));
    }
}

/* Tables that are the user's data: no catalogs, no information_schema, no materialized views, nothing temporary. */
static bool is_published(Relation relation)
{
    char kind = relation->rd_rel->relkind;
    return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE) &&
           relation->rd_rel->relpersistence == RELPERSISTENCE_PERMANENT &&
           RelationGetRelid(relation) >= FirstNormalObjectId;
}

static bool is_wanted(Relation relation, const char *schema, const Options *options)
{
    return !options_skip_relation(options, RelationGetRelid(relation)) &&
           options_want_table(options, schema, RelationGetRelationName(relation)) &&
           (options->publications.text == NULL ||
            publication_has_table(options->publications.names, relation));
}

Size relation_definition_size(const RelationDefinition *definition)
{
    return offsetof(RelationDefinition, columns) + definition->column_count * sizeof(CachedColumn);
}

/* The definition as it is kept, with no room for columns that are not there. */
static RelationDefinition *definition_keep(const RelationDefinition *definition, MemoryContext context)
{
    Size size = relation_definition_size(definition);
    return memcpy(MemoryContextAlloc(context, size), definition, size);
}

static void describe(RelationDefinition *definition, Relation relation, const char *schema, TypeTable *types,
                     RelationRecord *record)
{
    TupleDesc description = RelationGetDescr(relation);
    const char *name = pstrdup(RelationGetRelationName(relation));
    RelationColumnRecord *records = palloc0(((Size)description->natts + 1) * sizeof(RelationColumnRecord));
    definition->column_count = columns_describe(definition->columns, records, description, types);
    identity_describe(definition, relation);
    for (uint32 i = 0; i < definition->column_count; i++) {
        records[i].key = definition->columns[i].key;
    }
    *record = (RelationRecord){
        .id = definition->id,
        .schema = bytes_of(schema, strlen(schema)),
        .name = bytes_of(name, strlen(name)),
        .identity = definition->identity,
        .column_count = definition->column_count,
        .columns = records,
    };
    definition->fingerprint = fingerprint_of(record);
}

RelationDefinition *relation_describe(Relation relation, const Options *options, TypeTable *types,
                                      MemoryContext context, RelationRecord *record)
{
    int natts = RelationGetDescr(relation)->natts;
    RelationDefinition *definition =
        palloc0(offsetof(RelationDefinition, columns) + (Size)natts * sizeof(CachedColumn));
    definition->id = RelationGetRelid(relation);
    definition->natts = natts;
    if (is_published(relation)) {
        const char *schema = type_table_namespace(types, RelationGetNamespace(relation));
        definition->published = is_wanted(relation, schema, options);
        if (definition->published) {
            describe(definition, relation, schema, types, record);
        }
    }
    return definition_keep(definition, context);
}
