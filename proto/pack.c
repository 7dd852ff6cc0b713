/*
 * A record is turned into the generated struct, measured, and packed at the end of the batch behind the tag
 * and length with which it stands in Batch.records. Packing allocates nothing; the pointer lists that
 * repeated fields need are malloc'd here and freed at once.
 */
#include "pack.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "penstock.pb-c.h"
#include "varint.h"
#include "wire_limits.h"

static ProtobufCBinaryData binary(Bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.size, .data = (uint8_t *)bytes.data};
}

static int append(Buffer *batch, const Penstock__Record *record, Error *error)
{
    size_t size = penstock__record__get_packed_size(record);
    size_t total = bytes_field_size(size);
    if (total > MAX_BATCH_SIZE || batch->used > MAX_BATCH_SIZE - total) {
        return error_set(error, ERROR_LIMIT, "a record of %zu bytes is too much for one frame", total);
    }
    if (buffer_reserve(batch, total, error) != 0) {
        return -1;
    }
    uint8_t *at = bytes_field_head(batch->data + batch->used, 1, size);
    penstock__record__pack(record, at);
    batch->used += total;
    return 0;
}

/* Makes room for a record whose message has size bytes, and puts the heads before it. */
static uint8_t *record_head(Buffer *batch, unsigned kind, size_t size, Error *error)
{
    size_t record = bytes_field_size(size);
    if (buffer_reserve(batch, bytes_field_size(record), error) != 0) {
        return NULL;
    }
    return bytes_field_head(bytes_field_head(batch->data + batch->used, 1, record), kind, size);
}

int pack_hello(Buffer *batch, const HelloRecord *record, Error *error)
{
    ProtobufCBinaryData options[MAX_OPTIONS];
    if (record->option_count > MAX_OPTIONS) {
        return error_set(error, ERROR_LIMIT, "%u options are more than the %d that hello can name",
                         record->option_count, MAX_OPTIONS);
    }
    for (uint32_t i = 0; i < record->option_count; i++) {
        options[i] = binary(record->options[i]);
    }
    Penstock__Hello hello = PENSTOCK__HELLO__INIT;
    hello.plugin_version = binary(record->plugin_version);
    hello.wire_version = record->wire_version;
    hello.server_version = record->server_version;
    hello.encoding = binary(record->encoding);
    hello.n_options = record->option_count;
    hello.options = options;
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_HELLO;
    packed.hello = &hello;
    return append(batch, &packed, error);
}

/* Begin and Commit stand in every transaction, however small, and are put together by hand. */
int pack_begin(Buffer *batch, const BeginRecord *record, const TransactionPlace *last, Error *error)
{
    uint64_t lsn_step = record->commit_lsn - last->lsn;
    uint64_t time_step = zigzag((int64_t)((uint64_t)record->commit_time - (uint64_t)last->time));
    uint64_t xid_step = zigzag((int32_t)(record->xid - last->xid));
    size_t origin = record->origin.size;
    size_t size = number_field_size(lsn_step) + number_field_size(time_step) + number_field_size(xid_step) +
                  (origin > 0 ? bytes_field_size(origin) : 0);
    uint8_t *at = record_head(batch, 2, size, error);
    if (at == NULL) {
        return -1;
    }
    at = number_field_put(at, 1, lsn_step);
    at = number_field_put(at, 2, time_step);
    at = number_field_put(at, 3, xid_step);
    if (origin > 0) {
        at = bytes_field_head(at, 4, origin);
        at = mempcpy(at, record->origin.data, origin);
    }
    batch->used = (size_t)(at - batch->data);
    return 0;
}

/* last: the number of the column before, or 0. */
static void fill_column(Penstock__RelationColumn *column, const RelationColumnRecord *record, uint32_t last)
{
    penstock__relation_column__init(column);
    column->name = binary(record->name);
    column->type = record->type;
    column->base_type = record->base_type;
    column->type_schema = binary(record->type_schema);
    column->type_name = binary(record->type_name);
    column->typmod = record->typmod;
    column->key = record->key;
    column->format = (Penstock__ValueFormat)record->format;
    column->gap = record->number - last - 1;
}

/* XXH3 of the definition as it is packed without id and fingerprint; 0 means "none" and is never given. */
static int fingerprint(Penstock__Relation *relation, uint64_t *out, Error *error)
{
    relation->id = 0;
    relation->fingerprint = 0;
    size_t size = penstock__relation__get_packed_size(relation);
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    if (bytes == NULL) {
        return error_set(error, ERROR_SYSTEM, "no memory for a relation of %zu bytes", size);
    }
    penstock__relation__pack(relation, bytes);
    *out = XXH3_64bits(bytes, size);
    *out += *out == 0;
    free(bytes);
    return 0;
}

static int append_relation(Buffer *batch, Penstock__Relation *relation, uint32_t id, Error *error)
{
    uint64_t hash = 0;
    if (fingerprint(relation, &hash, error) != 0) {
        return -1;
    }
    relation->id = id;
    relation->fingerprint = hash;
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_RELATION;
    packed.relation = relation;
    return append(batch, &packed, error);
}

int pack_relation(Buffer *batch, const RelationRecord *record, Error *error)
{
    size_t count = record->column_count;
    Penstock__RelationColumn *columns = malloc((count + 1) * sizeof *columns);
    Penstock__RelationColumn **pointers = malloc((count + 1) * sizeof *pointers);
    int status = -1;
    if (columns == NULL || pointers == NULL) {
        error_set(error, ERROR_SYSTEM, "no memory for a relation of %zu columns", count);
    } else {
        for (size_t i = 0; i < count; i++) {
            fill_column(&columns[i], &record->columns[i], i > 0 ? record->columns[i - 1].number : 0);
            pointers[i] = &columns[i];
        }
        Penstock__Relation relation = PENSTOCK__RELATION__INIT;
        relation.schema = binary(record->schema);
        relation.name = binary(record->name);
        relation.replica_identity = (Penstock__ReplicaIdentity)record->identity;
        relation.n_columns = count;
        relation.columns = pointers;
        status = append_relation(batch, &relation, record->id, error);
    }
    free(pointers);
    free(columns);
    return status;
}

int pack_truncate(Buffer *batch, const TruncateRecord *record, Error *error)
{
    Penstock__Truncate truncate = PENSTOCK__TRUNCATE__INIT;
    truncate.sequence = record->sequence;
    truncate.n_relations = record->relation_count;
    truncate.relations = (uint32_t *)record->relations;
    truncate.cascade = record->cascade;
    truncate.restart_identity = record->restart_identity;
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_TRUNCATE;
    packed.truncate = &truncate;
    return append(batch, &packed, error);
}

int pack_message(Buffer *batch, const MessageRecord *record, Error *error)
{
    Penstock__Message message = PENSTOCK__MESSAGE__INIT;
    message.sequence = record->sequence;
    message.transactional = record->transactional;
    message.lsn = record->lsn;
    message.prefix = binary(record->prefix);
    message.content = binary(record->content);
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_MESSAGE;
    packed.message = &message;
    return append(batch, &packed, error);
}

int pack_recopy(Buffer *batch, const RecopyRecord *record, Error *error)
{
    Penstock__Recopy recopy = PENSTOCK__RECOPY__INIT;
    recopy.sequence = record->sequence;
    recopy.relation = record->relation;
    recopy.lsn = record->lsn;
    recopy.reason = binary(record->reason);
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_RECOPY;
    packed.recopy = &recopy;
    return append(batch, &packed, error);
}

int pack_heartbeat(Buffer *batch, const HeartbeatRecord *record, Error *error)
{
    Penstock__Heartbeat heartbeat = PENSTOCK__HEARTBEAT__INIT;
    heartbeat.lsn = record->lsn;
    heartbeat.time = record->time;
    Penstock__Record packed = PENSTOCK__RECORD__INIT;
    packed.kind_case = PENSTOCK__RECORD__KIND_HEARTBEAT;
    packed.heartbeat = &heartbeat;
    return append(batch, &packed, error);
}

int pack_commit(Buffer *batch, const CommitRecord *record, Error *error)
{
    uint64_t size = record->end_lsn - record->commit_lsn;
    uint8_t *at =
        record_head(batch, 8, number_field_size(size) + number_field_size(record->change_count) + 5, error);
    if (at == NULL) {
        return -1;
    }
    at = number_field_put(at, 1, size);
    at = number_field_put(at, 2, record->change_count);
    at = fixed32_field_put(at, 3, record->checksum);
    batch->used = (size_t)(at - batch->data);
    return 0;
}
